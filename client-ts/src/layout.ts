// The keys and values of a client's store: the same bytes as the Go client's.
//
// A key is a kind, and for everything but the client's own entry the space's name
// with its length before it, and then what orders the entries of the kind. Every
// value begins with the format byte. All numbers are big-endian.
//
//	d                                    device
//	s space                              device cursor schema counter hash base sent flags filter
//	n space                              the name table, as a snapshot frame
//	r space (2 len) collection, id       a confirmed record
//	q space device counter               a pending mutation: seq at which it leaves (0: not judged), body
//	x space order                        a rejected mutation: device, counter, (4 len) verdict frame, body
//	c space seq collection, id, field …  a settled conflict, as a conflict frame
//	k tab                                the last mutation that was taken of a tab, and when (only this client has these)
//
// In memory a key is text of one character a byte: it sorts and compares as the
// bytes do.
import type { Core, CoreSpace } from "./core.js";
import { TideError } from "./error.js";
import type { Rec } from "./merge/index.js";
import {
  NameTable, ProtocolError, decodeMessage, decodeMutation, decodeRecordState, encodeMessage, encodeRecordState, format, formatUUID,
  fromHex, nextHash, noHash, toHex,
} from "./protocol/index.js";
import type { Conflict, Frame, Hash } from "./protocol/index.js";
import { newPending } from "./queue.js";
import type { Pending } from "./queue.js";
import type { RejectedEntry } from "./rejected.js";
import type { Entry } from "./store/store.js";
import type { Key } from "./watch.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Text of one character a byte. */
function latin(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** The bytes of a key. */
export function keyBytes(key: string): Uint8Array {
  const bytes = new Uint8Array(key.length);
  for (let i = 0; i < key.length; i++) bytes[i] = key.charCodeAt(i);
  return bytes;
}

function uint(n: number, size: number): string {
  let text = "";
  for (; size > 0; size--, n = Math.floor(n / 256)) text = String.fromCharCode(n % 256) + text;
  return text;
}

function utf8(s: string): string {
  // A call of the encoder costs more than to look.
  return /^[\0-\x7f]*$/.test(s) ? s : latin(encoder.encode(s));
}

function text(s: string): string {
  const bytes = utf8(s);
  return uint(bytes.length, 2) + bytes;
}

const hex = (id: string) => latin(fromHex(id));
const formatText = String.fromCharCode(format);

/** A value: the format byte, fixed parts, and bytes behind them. */
function entry(fixed: string, ...rest: readonly Uint8Array[]): Uint8Array {
  const value = new Uint8Array(1 + fixed.length + rest.reduce((n, part) => n + part.length, 0));
  value.set(keyBytes(formatText + fixed));
  let at = 1 + fixed.length;
  for (const part of rest) {
    value.set(part, at);
    at += part.length;
  }
  return value;
}

export const clientKey = "d";
export const spaceKey = (s: CoreSpace) => "s" + text(s.name);
export const namesKey = (s: CoreSpace) => "n" + text(s.name);
export const pendingKey = (s: CoreSpace, p: Pending) => "q" + text(s.name) + hex(p.device) + uint(p.counter, 8);
export const rejectedKey = (s: CoreSpace, e: RejectedEntry) => "x" + text(s.name) + uint(e.order, 8);
export const tabKey = (tab: string) => "k" + hex(tab);

/** Makes the keys of a space's records. */
export function recordKeys(s: CoreSpace): (key: Key) => string {
  let [of, prefix] = ["", ""];
  return ({ collection, id }) => {
    if (collection !== of) [of, prefix] = [collection, "r" + text(s.name) + text(collection)];
    return prefix + utf8(id);
  };
}

export function conflictKey(s: CoreSpace, c: Conflict): string {
  return "c" + text(s.name) + uint(c.seq, 8) + text(c.collection) + text(c.id) + text(c.field) + text(c.element);
}

export function encodeClient(c: Core): Uint8Array {
  return entry(hex(c.device));
}

export function encodeSpace(s: CoreSpace): Uint8Array {
  return entry(
    hex(s.device) + uint(s.cursor.seq, 8) + hex(s.cursor.commit) + uint(s.schemaVersion, 4) + uint(s.counter, 8) + hex(s.hash) +
      uint(s.floor, 8) + uint(s.sent, 8) + uint(s.rebase ? 1 : 0, 1) + s.filter.map(text).join(""),
  );
}

export function encodeNames(s: CoreSpace): Uint8Array {
  return encodeMessage({ frame: "snapshot", names: s.names.names, records: 0 });
}

export function encodeRecord(r: Rec): Uint8Array {
  return entry("", encodeRecordState(r));
}

export function encodePending(p: Pending): Uint8Array {
  return entry(uint(p.leaveAt, 8), p.body);
}

export function encodeRejected(e: RejectedEntry): Uint8Array {
  const verdict = encodeMessage({ frame: "verdicts", handle: 1, counter: 0, hash: noHash, replay: false, list: [e.verdict] });
  return entry(hex(e.device) + uint(e.counter, 8) + uint(verdict.length, 4), verdict, e.body);
}

export function encodeConflict(c: Conflict): Uint8Array {
  return encodeMessage({ ...c, frame: "conflict" });
}

export function encodeTab(tab: { readonly counter: number; readonly at: number }): Uint8Array {
  return entry(uint(tab.counter, 8) + uint(tab.at, 8));
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Entries in one piece: the format byte, then each key and value with its length in four bytes before it. */
export function exportEntries(entries: readonly Entry[]): Uint8Array {
  return entry("", ...entries.flatMap(({ key, value }) => [key, value]).flatMap((part) => [keyBytes(uint(part.length, 4)), part]));
}

/** Reads an entry from its front. */
class Scanner {
  at = 0;
  constructor(readonly data: Uint8Array) {}

  get more(): boolean {
    return this.at < this.data.length;
  }
  take(n: number): Uint8Array {
    if (this.at + n > this.data.length) throw new Error("it is too short");
    return this.data.subarray(this.at, (this.at += n));
  }
  rest(): Uint8Array {
    return this.data.slice(this.at);
  }
  uint(size: number): number {
    let n = 0;
    for (const byte of this.take(size)) n = n * 256 + byte;
    return n;
  }
  text(): string {
    return decoder.decode(this.take(this.uint(2)));
  }
  uuid(): string {
    return formatUUID(this.take(16));
  }
  hex(size: number): string {
    return toHex(this.take(size));
  }
}

/** Takes an entry of the store into a core. */
export function loadEntry(c: Core, { key, value }: Entry): void {
  try {
    const k = new Scanner(key);
    const kind = String.fromCharCode(k.uint(1));
    const v = new Scanner(value);
    if (v.uint(1) !== format) throw new ProtocolError("upgrade", `it has format ${value[0]}`);
    if (kind === "d") c.device = v.uuid();
    else if (kind === "k") c.tabs.set(toHex(k.rest()), { counter: v.uint(8), at: v.uint(8) });
    else loadSpaceEntry(c.space(k.text()), kind, k, v);
  } catch (error) {
    const newer = error instanceof ProtocolError && error.code === "upgrade";
    throw new TideError(
      newer ? "store-version" : "store-corrupt",
      `the entry ${JSON.stringify(latin(key))} of the client's store ${newer ? "was written by a newer version" : "is damaged"}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

function loadSpaceEntry(s: CoreSpace, kind: string, k: Scanner, v: Scanner): void {
  switch (kind) {
    case "s":
      s.device = v.uuid();
      s.cursor = { seq: v.uint(8), commit: v.hex(8) };
      s.schemaVersion = v.uint(4);
      s.counter = v.uint(8);
      s.hash = v.hex(16);
      s.floor = v.uint(8);
      s.sent = v.uint(8);
      s.rebase = (v.uint(1) & 1) === 1;
      for (const filter: string[] = (s.filter = []) as string[]; v.more; ) filter.push(v.text());
      break;
    case "n":
      s.names = new NameTable(decodeOne(v.data, "snapshot").names);
      break;
    case "r": {
      const state = decodeRecordState(v.data.subarray(v.at)); // which copies what it keeps
      s.view.load(state, state);
      break;
    }
    case "q": {
      const device = k.uuid();
      const counter = k.uint(8);
      const leaveAt = v.uint(8);
      const body = v.rest();
      const p = newPending(body, decodeMutation(body));
      Object.assign(p, { device, counter, leaveAt, judged: leaveAt !== 0, durable: true, toldLocal: true });
      s.queue.push(p); // sorted out by restore
      break;
    }
    case "x": {
      const order = k.uint(8);
      const [device, counter] = [v.uuid(), v.uint(8)];
      const [verdict] = decodeOne(v.take(v.uint(4)), "verdicts").list;
      if (!verdict) throw new Error("it has no verdict");
      const body = v.rest();
      s.rejected = [...s.rejected, { order, device, counter, verdict, body, mutation: decodeMutation(body) }];
      break;
    }
    case "c":
      s.conflicts = [...s.conflicts, decodeOne(v.data, "conflict")];
      break;
    default:
      throw new ProtocolError("upgrade", `entries of kind ${JSON.stringify(kind)} are unknown`);
  }
}

/** Decodes a stored message of one frame. */
function decodeOne<F extends Frame["frame"]>(message: Uint8Array, frame: F): Frame & { frame: F } {
  const frames = decodeMessage(message);
  if (frames.length !== 1 || frames[0]?.frame !== frame) throw new Error("it holds another frame");
  return frames[0] as Frame & { frame: F };
}

/** Makes the caches of a space whose entries are all loaded. */
export function restore(s: CoreSpace): void {
  const loaded = s.queue.sort((a, b) => a.leaveAt - b.leaveAt || a.counter - b.counter);
  s.queue = [];
  let { counter, hash }: { counter: number; hash: Hash } = s;
  for (const p of loaded) {
    if (p.judged) {
      s.leaving.push(p);
      continue;
    }
    counter++;
    if (p.device !== s.device || p.counter !== counter) {
      throw new TideError("store-corrupt", `the client's store is damaged: mutation ${counter} of the queue of the space ${JSON.stringify(s.name)} is missing`);
    }
    p.hash = hash = nextHash(hash, p.body);
    s.queue.push(p);
  }
  s.rejected = [...s.rejected].sort((a, b) => a.order - b.order);
  s.conflicts = [...s.conflicts].sort((a, b) => a.seq - b.seq);
  for (const p of [...s.leaving, ...s.queue]) s.view.predict(p);
  s.durable = s.cursor;
  s.durableSent = s.sent;
  s.namesSaved = savedNames(s).text;
  s.takeNews();
}

/** The name table as the store would have it, and as text that compares. */
export function savedNames(s: CoreSpace): { readonly value: Uint8Array; readonly text: string } {
  const value = encodeNames(s);
  return { value, text: latin(value) };
}
