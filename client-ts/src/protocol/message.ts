import { control } from "./control.js";
import type { Layout } from "./control.js";
import { delivery } from "./delivery.js";
import { ProtocolError } from "./errors.js";
import { checkFormat, format } from "./format.js";
import type { CommitHeader, Frame, Page, Section } from "./frame.js";
import type { Handle } from "./ids.js";
import type { NameTable } from "./names.js";
import { Reader } from "./reader.js";
import { Writer } from "./writer.js";

/** How messages from a gateway are decoded. */
export interface Decoding {
  /**
   * Finds the name table of the space that a handle stands for. Without one, a
   * number for a name is an error. Decoding a commit's header or a snapshot's
   * beginning adds to the table.
   */
  readonly names?: ((handle: Handle) => NameTable | undefined) | undefined;
  /**
   * Returns the frames that data holds, compressed with the dictionary of this id
   * (0 for none), and bounds what it returns; it throws for data that it cannot
   * unpack. Without it, compressed frames come out as they are.
   */
  readonly decompress?: ((dictionary: number, data: Uint8Array) => Uint8Array) | undefined;
}

const byNumber = new Map<number, Layout>([...control, ...delivery]);
const byName = new Map<string, Layout>(control.map(([, layout]) => [layout.frame, layout]));

/** What a client writes, to a gateway or to its store. */
export type Writable = Exclude<Frame, CommitHeader | Section | Page>;

/** A whole message. It throws a ProtocolError for a value or a string that cannot be sent. */
export function encodeMessage(...frames: readonly Writable[]): Uint8Array {
  const w = new Writer();
  w.byte(format);
  for (const f of frames) writeFrame(w, f);
  return w.done();
}

export function writeFrame(w: Writer, f: Writable): void {
  byName.get(f.frame)!.write!(w, f);
}

/**
 * Decodes a message from a gateway. The frames do not refer to it. It throws a
 * ProtocolError: `upgrade` for an unknown format, `malformed`, with what and
 * where, for anything else.
 */
export function decodeMessage(message: Uint8Array, how: Decoding = {}): Frame[] {
  checkFormat(message);
  const list: Frame[] = [];
  decode(list, new Reader(message), 1, how, false);
  if (list.length === 0) throw new ProtocolError("malformed", "the message holds no frame");
  return list;
}

/** Decodes frames without a format byte, all of one space with this name table. */
export function decodeDelivery(data: Uint8Array, names?: NameTable): Frame[] {
  const list: Frame[] = [];
  const r = new Reader(data);
  r.names = names;
  decode(list, r, 0, {}, false);
  return list;
}

/** Decodes frames from `from` on. Compressed ones give way to what they hold. */
function decode(list: Frame[], r: Reader, from: number, how: Decoding, unpacked: boolean): void {
  r.pos = from;
  while (r.more()) {
    const f = readFrame(r);
    const isIn = f.frame === "in";
    if (unpacked && (isIn || f.frame === "compressed")) {
      throw new ProtocolError("malformed", `a frame "${f.frame}" stands in a compressed frame`);
    }
    if (isIn) r.names = how.names?.(f.handle);
    if (f.frame !== "compressed" || !how.decompress) {
      list.push(f);
      continue;
    }
    let data: Uint8Array;
    try {
      data = how.decompress(f.dictionary, f.data);
    } catch (error) {
      throw new ProtocolError("malformed", `compressed frame: ${error instanceof Error ? error.message : error}`);
    }
    const inner = new Reader(data);
    inner.names = r.names;
    decode(list, inner, 0, how, true);
  }
}

/** Reads one frame. */
export function readFrame(r: Reader): Frame {
  r.what = "message";
  const n = r.array("frame");
  if (n === 0) r.fail("frame", "an empty array is no frame");
  const type = r.uint("frame type");
  const layout = byNumber.get(type);
  if (!layout) return r.fail("frame type", `${type} is not known`);
  r.what = layout.frame;
  // A commit reaches over its sections and conflicts.
  if (type < 9 || type > 11) r.mutations = -1;
  return layout.read(r, n - 1);
}
