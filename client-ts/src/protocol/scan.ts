// How a gateway reads what a client sends. A client does not need it: it is here
// for tests, and for those who want to look at messages.
import { checkFormat } from "./format.js";
import type { ClientFrame, Frame } from "./frame.js";
import { maxDepth } from "./limits.js";
import { readFrame } from "./message.js";
import { Reader } from "./reader.js";

/** The element budget of a message from a client. */
export const maxElements = 1 << 16;

const fromClient: readonly Frame["frame"][] = [
  "hello",
  "subscribe",
  "unsubscribe",
  "push",
  "ack",
  "window",
  "presence",
  "token",
  "ping",
  "pong",
  "fetch",
];

/** Scans and decodes a message from a client: frames that only a gateway sends are malformed here. */
export function decodeClientMessage(message: Uint8Array): ClientFrame[] {
  scan(message);
  const r = new Reader(message);
  r.pos = 1;
  const list: ClientFrame[] = [];
  while (r.more()) {
    const f = readFrame(r);
    if (!fromClient.includes(f.frame)) r.fail("a client does not send this frame");
    list.push(f as ClientFrame);
  }
  return list.length ? list : r.fail("it holds no frame");
}

// Kinds of elements, as the reader numbers them.
const string = 4;
const bytes = 5;
const array = 6;
const map = 7;
const extension = 8;

/**
 * Checks a message before anything decodes it: its format byte, that every
 * declared length and count can be there, at most `maxDepth` levels and
 * `maxElements` elements, no extension types, arrays at the top.
 */
export function scan(message: Uint8Array): void {
  const r = checkFormat(new Reader(message), "message");
  let elements = 0;
  /** How many elements are still to come at each depth. */
  const left: number[] = [];
  while (r.more() || left.length > 0) {
    const kind = r.head();
    if (kind === extension) r.refuse("extension");
    if (left.length === 0 && kind !== array) r.fail("a frame is an array");
    if (++elements > maxElements) r.fail(`more than ${maxElements} elements`, "too-large");
    if (left.length > 0) left[left.length - 1]!--;
    if (kind === string || kind === bytes) r.pos += r.size;
    if ((kind === array || kind === map) && left.push(r.size) > maxDepth) r.fail(`nested deeper than ${maxDepth} levels`);
    while (left.at(-1) === 0) left.pop();
  }
}
