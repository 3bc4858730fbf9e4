// The frames that a space encodes once for all its subscribers.
import { changeKinds, fieldChangeKinds } from "./change.js";
import type { Change, ChangeKind, FieldChange } from "./change.js";
import { uint, uint32, word } from "./codec.js";
import { author, commit, learn } from "./control.js";
import type { Layout } from "./control.js";
import type { CommitHeader, Delta, Frame, MutationStamp, Page, Section } from "./frame.js";
import type { Author } from "./ids.js";
import { maxInteger, maxNames } from "./limits.js";
import type { Reader } from "./reader.js";
import type { RecordState } from "./record.js";
import { readFields } from "./record_codec.js";

function layout(type: number, frame: Frame["frame"], width: number, read: (r: Reader) => Frame): Layout {
  return {
    type,
    frame,
    read(r, n) {
      r.arity(width, n);
      return read(r);
    },
  };
}

export const delivery: readonly Layout[] = [
  layout(9, "commit", 8, readHeader),
  layout(10, "section", 3, readSection),
  layout(14, "page", 3, (r): Page => {
    const label = uint32.read(r);
    const collection = r.name();
    const records = r.list((): RecordState => {
      r.arity(3);
      return { collection, id: r.id(), version: uint.read(r), fields: readFields(r) };
    });
    return { frame: "page", label, collection, records };
  }),
];

function readHeader(r: Reader): CommitHeader {
  const seq = uint.read(r);
  const id = commit.read(r);
  const time = r.int();
  const schemaVersion = uint32.read(r);
  const ackNow = r.int(0, 1) === 1;
  let more = r.array();
  if (more === 1) r.fail("a number without names");
  const firstName = more ? r.int(0, maxNames) : 0;
  const names: string[] = [];
  while (--more > 0) names.push(r.text());
  const authors = groups(r, 2, (): Author => author.read(r));
  const mutations = groups(r, 3, (): MutationStamp => {
    const author = r.int(0, authors.length - 1);
    const base = seq - r.int(0, seq);
    const editTime = time - r.int();
    if (Math.abs(editTime) > maxInteger) r.fail("the edit time is out of range");
    return { author, base, editTime };
  });
  r.mutations = mutations.length;
  learn(r, firstName, names);
  return { frame: "commit", seq, id, time, schemaVersion, ackNow, firstName, names, authors, mutations };
}

/** Reads a flat list of groups. */
function groups<T>(r: Reader, width: number, read: () => T): T[] {
  const n = r.array();
  if (n % width) r.fail(`${n} elements are not groups of ${width}`);
  return Array.from({ length: n / width }, read);
}

function readSection(r: Reader): Section {
  if (r.mutations < 0) r.fail("no commit stands before it");
  const label = uint32.read(r);
  const collection = r.name();
  const deltas = r.list((): Delta => {
    const n = r.array();
    if (n === 0) r.fail("a delta is empty");
    const mutation = r.int(0, r.mutations - 1);
    return { mutation, changes: Array.from({ length: n - 1 }, () => readChange(r, collection)) };
  });
  return { frame: "section", label, collection, deltas };
}

const changeKind = word(changeKinds, 0, 1);
const fieldChangeKind = word(fieldChangeKinds, 0, 2);

/** A change is [id, fields], or [id, fields, kind] if more than its fields changed. */
function readChange(r: Reader, collection: string): Change {
  const n = r.array();
  const id = r.id();
  const fields = r.list(() => readFieldChange(r));
  let kind: ChangeKind = "fields";
  if (n !== 2) {
    r.arity(3, n);
    kind = changeKind.read(r);
  }
  return { collection, id, kind, fields };
}

/**
 * What a change of each kind has behind the field's name and the kind: an element,
 * a position, a value. Put and unset have no kind: they are [name, value] and
 * [name].
 */
export const fieldChangeShapes = ["v", "", "v", "v", "v", "epv", "ep", "ev", "e"];

function readFieldChange(r: Reader): FieldChange {
  const n = r.array();
  const field = r.name();
  const kind = n === 1 ? "unset" : n === 2 ? "put" : fieldChangeKind.read(r);
  const shape = fieldChangeShapes[fieldChangeKinds.indexOf(kind)]!;
  r.arity(shape.length + (n > 2 ? 2 : 1), n);
  return {
    field,
    kind,
    element: shape[0] === "e" ? r.id() : "",
    position: shape[1] === "p" ? r.text() : "",
    value: shape.endsWith("v") ? r.value() : undefined,
  };
}
