// How a gateway writes what it delivers. A client does not need it: it is here
// for tests, and for those who want to make deliveries.
import { changeKinds, fieldChangeKinds } from "./change.js";
import type { Change, FieldChange } from "./change.js";
import { author, commit } from "./control.js";
import { fieldChangeShapes } from "./delivery.js";
import type { CommitHeader, Frame } from "./frame.js";
import { writeFrame } from "./message.js";
import type { NameTable } from "./name_table.js";
import { writeFields } from "./record_codec.js";
import { Writer } from "./writer.js";

/** Frames without a format byte, with the numbers of the names that the table has. */
export function encodeDelivery(frames: readonly Frame[], names?: NameTable): Uint8Array {
  const w = new Writer(names);
  for (const f of frames) {
    switch (f.frame) {
      case "commit":
        writeHeader(w, f);
        break;
      case "section":
        begin(w, 10, f);
        w.array(f.deltas.length);
        for (const delta of f.deltas) {
          w.array(1 + delta.changes.length);
          w.int(delta.mutation);
          for (const change of delta.changes) writeChange(w, change);
        }
        break;
      case "page":
        begin(w, 14, f);
        w.array(f.records.length);
        for (const record of f.records) {
          w.array(3);
          w.id(record.id);
          w.int(record.version);
          writeFields(w, record.fields);
        }
        break;
      default:
        writeFrame(w, f);
    }
  }
  return w.done();
}

function begin(w: Writer, type: number, f: { readonly label: number; readonly collection: string }): void {
  w.array(4);
  w.int(type);
  w.int(f.label);
  w.name(f.collection);
}

function writeHeader(w: Writer, f: CommitHeader): void {
  w.array(9);
  w.int(9);
  w.int(f.seq);
  commit.write(w, f.id);
  w.int(f.time);
  w.int(f.schemaVersion);
  w.int(f.ackNow ? 1 : 0);
  const names = f.names.length;
  w.array(names && names + 1);
  if (names > 0) w.int(f.firstName);
  for (const name of f.names) w.text(name);
  w.array(2 * f.authors.length);
  for (const a of f.authors) author.write(w, a);
  w.array(3 * f.mutations.length);
  for (const m of f.mutations) {
    w.int(m.author);
    w.int(f.seq - m.base);
    w.int(f.time - m.editTime);
  }
}

function writeChange(w: Writer, c: Change): void {
  const kind = changeKinds.indexOf(c.kind);
  w.array(kind > 0 ? 3 : 2);
  w.id(c.id);
  w.array(c.fields.length);
  for (const field of c.fields) writeFieldChange(w, field);
  if (kind > 0) w.int(kind);
}

function writeFieldChange(w: Writer, f: FieldChange): void {
  const kind = fieldChangeKinds.indexOf(f.kind);
  const shape = fieldChangeShapes[kind]!;
  w.array((kind < 2 ? 1 : 2) + shape.length);
  w.name(f.field);
  if (kind > 1) w.int(kind);
  if (shape.includes("e")) w.id(f.element);
  if (shape.includes("p")) w.text(f.position);
  if (shape.includes("v")) w.value(f.value);
}
