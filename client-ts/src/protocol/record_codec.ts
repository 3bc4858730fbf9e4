import { id, parts, text, uint, word } from "./codec.js";
import { checkFormat, format } from "./format.js";
import { Reader } from "./reader.js";
import { fieldKinds } from "./record.js";
import type { ElementState, FieldState, RecordState } from "./record.js";
import { Writer } from "./writer.js";

// A field is
//
//	[name, value]                                      plain
//	[name, 1, [value, …]]                              a set
//	[name, 2, [[element, position, value], …]]         a list

/** Not plain: that is left out. */
const fieldKind = word(fieldKinds, 0, 1);

export function writeFields(w: Writer, fields: readonly FieldState[]): void {
  w.array(fields.length);
  for (const { field, kind, value, elements } of fields) {
    const plain = kind === "plain";
    w.array(plain ? 2 : 3);
    w.name(field);
    if (plain) {
      w.value(value);
      continue;
    }
    fieldKind.write(w, kind);
    w.array(elements.length);
    for (const e of elements) {
      if (kind === "list") {
        w.array(3);
        w.id(e.element);
        w.text(e.position);
      }
      w.value(e.value);
    }
  }
}

/** What a plain field has for elements: one array for all. */
const none: readonly ElementState[] = [];

export function readFields(r: Reader): readonly FieldState[] {
  return r.list((): FieldState => {
    const n = r.array();
    const field = r.name();
    if (n === 2) return { field, kind: "plain", value: r.value(), elements: none };
    r.arity(3, n);
    const kind = fieldKind.read(r);
    const elements = r.list((): ElementState => {
      if (kind === "set") return { element: "", position: "", value: r.value() };
      r.arity(3);
      return { element: r.id(), position: r.text(), value: r.value() };
    });
    return { field, kind, value: undefined, elements };
  });
}

const record = parts<RecordState>({ collection: text, id, version: uint, fields: { write: writeFields, read: readFields } });

/**
 * A record's state in its canonical form, which all devices agree on bit for bit:
 * the format byte and [collection, id, version, fields], names literal.
 */
export function encodeRecordState(s: RecordState): Uint8Array {
  const w = new Writer();
  w.byte(format);
  w.array(4);
  record.write(w, s);
  return w.done();
}

/** Reads what encodeRecordState wrote, and nothing behind it. */
export function decodeRecordState(data: Uint8Array): RecordState {
  const r = checkFormat(new Reader(data), "record state");
  const s = record.read(r, r.array(), {});
  r.end();
  return s;
}
