import { control } from "./control.js";
import type { Layout } from "./control.js";
import { delivery } from "./delivery.js";
import { checkFormat, format } from "./format.js";
import type { CommitHeader, Frame, Page, Section } from "./frame.js";
import type { Handle } from "./ids.js";
import type { NameTable } from "./name_table.js";
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

const byType: Layout[] = [];
const byName: { [frame: string]: Layout } = {};
for (const layout of [...control, ...delivery]) byType[layout.type] = byName[layout.frame] = layout;

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
  byName[f.frame]!.write!(w, f);
}

/**
 * Decodes a message from a gateway. The frames do not refer to it. It throws a
 * ProtocolError: `upgrade` for an unknown format, `malformed`, with what and
 * where, for anything else.
 */
export function decodeMessage(message: Uint8Array, how: Decoding = {}): Frame[] {
  const r = checkFormat(new Reader(message), "message");
  return r.more() ? decode(r, how) : r.fail("it holds no frame");
}

/** Decodes frames without a format byte, all of one space with this name table. */
export function decodeDelivery(data: Uint8Array, names?: NameTable): Frame[] {
  const r = new Reader(data);
  r.names = names;
  return decode(r, {});
}

/** Decodes the frames that are left. Compressed ones give way to what they hold. */
function decode(r: Reader, how: Decoding, unpacked = false): Frame[] {
  const list: Frame[] = [];
  while (r.more()) {
    const f = readFrame(r);
    if (unpacked && (f.frame === "in" || f.frame === "compressed")) r.fail("it stands in a compressed frame");
    if (f.frame === "in") r.names = how.names?.(f.handle);
    if (f.frame !== "compressed" || !how.decompress) {
      list.push(f);
      continue;
    }
    let inner: Reader;
    try {
      inner = new Reader(how.decompress(f.dictionary, f.data));
    } catch (error) {
      return r.fail(String(error));
    }
    inner.names = r.names;
    for (const frame of decode(inner, how, true)) list.push(frame);
  }
  return list;
}

/** Reads one frame. */
export function readFrame(r: Reader): Frame {
  r.what = "frame";
  r.part = "";
  const n = r.array();
  const type = r.int();
  const layout = byType[type] ?? r.fail(`the type ${type} is not known`);
  r.what = layout.frame;
  // A commit reaches over its sections and conflicts.
  if (type < 9 || type > 11) r.mutations = -1;
  return layout.read(r, n - 1);
}
