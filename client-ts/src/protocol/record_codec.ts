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

export function writeFields(w: Writer, fields: readonly FieldState[]): void {
  w.array(fields.length);
  for (const f of fields) {
    const kind = fieldKinds.indexOf(f.kind);
    w.array(kind === 0 ? 2 : 3);
    w.name(f.field);
    if (kind === 0) {
      w.value(f.value);
      continue;
    }
    w.int(kind);
    w.array(f.elements.length);
    for (const e of f.elements) {
      if (kind === 2) {
        w.array(3);
        w.id(e.element);
        w.text(e.position);
      }
      w.value(e.value);
    }
  }
}

/** What a field without elements has for them: one array for all. */
const none: readonly ElementState[] = [];

export function readFields(r: Reader): FieldState[] {
  return r.list("fields", (): FieldState => {
    const n = r.array("field");
    if (n !== 2 && n !== 3) r.fail("field", `expected 2 or 3 elements, found ${n}`);
    const field = r.name("field");
    if (n === 2) return { field, kind: "plain", value: r.value("value"), elements: none };
    const kind = fieldKinds[r.uint("field's kind", 2)]!;
    if (kind === "plain") r.fail("field's kind", "0 is left out");
    const elements = r.list("elements", (): ElementState => {
      if (kind === "set") return { element: "", position: "", value: r.value("value") };
      r.tuple("element", 3);
      return { element: r.id("element"), position: r.text("position"), value: r.value("value") };
    });
    return { field, kind, value: undefined, elements };
  });
}

/**
 * A record's state in its canonical form, which all devices agree on bit for bit:
 * the format byte and [collection, id, version, fields], names literal.
 */
export function encodeRecordState(s: RecordState): Uint8Array {
  const w = new Writer();
  w.byte(format);
  w.array(4);
  w.text(s.collection);
  w.id(s.id);
  w.int(s.version);
  writeFields(w, s.fields);
  return w.done();
}

/** Reads what encodeRecordState wrote, and nothing behind it. */
export function decodeRecordState(data: Uint8Array): RecordState {
  checkFormat(data);
  const r = new Reader(data);
  r.what = "record state";
  r.pos = 1;
  r.tuple("record", 4);
  const s: RecordState = { collection: r.text("collection"), id: r.id("id"), version: r.uint("version"), fields: readFields(r) };
  r.end();
  return s;
}
