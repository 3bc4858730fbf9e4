// The frames that a space encodes once for all its subscribers.
import { author, commit, learn } from "./control.js";
import type { Layout } from "./control.js";
import { changeKinds, fieldChangeKinds } from "./change.js";
import type { Change, ChangeKind, FieldChange } from "./change.js";
import type { CommitHeader, Delta, Frame, MutationStamp, Page, Section } from "./frame.js";
import type { Author } from "./ids.js";
import { maxInteger, maxNames } from "./limits.js";
import type { Reader } from "./reader.js";
import type { RecordState } from "./record.js";
import { readFields } from "./record_codec.js";

function layout<F extends Frame>(type: number, frame: F["frame"], width: number, read: (r: Reader) => F): [number, Layout] {
  return [
    type,
    {
      frame,
      read(r, n) {
        r.arity(frame, n, width);
        return read(r);
      },
    },
  ];
}

/** The layouts by the numbers that stand at the beginning of frames. */
export const delivery: readonly [number, Layout][] = [
  layout<CommitHeader>(9, "commit", 8, readHeader),
  layout<Section>(10, "section", 3, readSection),
  layout<Page>(14, "page", 3, (r) => {
    const label = label32(r);
    const collection = r.name("collection");
    const records = r.list("records", (): RecordState => {
      r.tuple("record", 3);
      return { collection, id: r.id("id"), version: r.uint("version"), fields: readFields(r) };
    });
    return { frame: "page", label, collection, records };
  }),
];

function label32(r: Reader): number {
  return r.uint("label", 2 ** 32 - 1);
}

function readHeader(r: Reader): CommitHeader {
  const seq = r.uint("seq");
  const id = commit.read(r, "id");
  const time = r.int("time");
  const schemaVersion = r.uint("schema version", 2 ** 32 - 1);
  const ackNow = r.uint("flags", 1) === 1;
  let more = r.array("names");
  const firstName = more > 0 ? r.uint("names", maxNames) : 0;
  if (more === 1) r.fail("names", "a number without names");
  const names: string[] = [];
  while (--more > 0) names.push(r.text("names"));
  const authors: Author[] = [];
  for (let n = groups(r, "authors", 2); n > 0; n--) authors.push(author.read(r, "authors"));
  const mutations: MutationStamp[] = [];
  for (let n = groups(r, "mutations", 3); n > 0; n--) {
    const author = r.uint("author");
    if (author >= authors.length) r.fail("author", `${author} is not in the directory of ${authors.length}`);
    const behind = r.uint("base", seq);
    const editTime = time - r.int("edit time");
    if (Math.abs(editTime) > maxInteger) r.fail("edit time", "it is out of range");
    mutations.push({ author, base: seq - behind, editTime });
  }
  r.mutations = mutations.length;
  learn(r, firstName, names);
  return { frame: "commit", seq, id, time, schemaVersion, ackNow, firstName, names, authors, mutations };
}

/** Reads the head of a flat list of groups, and returns how many there are. */
function groups(r: Reader, field: string, width: number): number {
  const n = r.array(field);
  if (n % width !== 0) r.fail(field, `${n} elements are not groups of ${width}`);
  return n / width;
}

function readSection(r: Reader): Section {
  const label = label32(r);
  const collection = r.name("collection");
  if (r.mutations < 0) r.fail("frame", "no commit stands before it");
  const deltas = r.list("deltas", (): Delta => {
    const size = r.array("delta");
    if (size === 0) r.fail("delta", "it is empty");
    const mutation = r.uint("mutation");
    if (mutation >= r.mutations) r.fail("mutation", `${mutation} is not among the commit's ${r.mutations}`);
    const changes: Change[] = [];
    for (let n = size - 1; n > 0; n--) changes.push(readChange(r, collection));
    return { mutation, changes };
  });
  return { frame: "section", label, collection, deltas };
}

/** A change is [id, fields], or [id, fields, kind] if more than its fields changed. */
function readChange(r: Reader, collection: string): Change {
  const n = r.array("change");
  if (n !== 2 && n !== 3) r.fail("change", `expected 2 or 3 elements, found ${n}`);
  const id = r.id("id");
  const fields = r.list("fields", () => readFieldChange(r));
  let kind: ChangeKind = "fields";
  if (n === 3) {
    kind = changeKinds[r.uint("change's kind", changeKinds.length - 1)]!;
    if (kind === "fields") r.fail("change's kind", "0 is left out");
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
  const n = r.array("field change");
  if (n === 0) r.fail("field change", "it is empty");
  const field = r.name("field");
  let kind = n === 1 ? 1 : 0;
  if (n > 2) {
    kind = r.uint("field change's kind", fieldChangeShapes.length - 1);
    if (kind < 2) r.fail("field change's kind", `${kind} has a form of its own`);
  }
  const shape = fieldChangeShapes[kind]!;
  if (n > 2) r.arity("field change", n, 2 + shape.length);
  const element = shape.includes("e") ? r.id("element") : "";
  const position = shape.includes("p") ? r.text("position") : "";
  const value = shape.includes("v") ? r.value("value") : undefined;
  return { field, kind: fieldChangeKinds[kind]!, value, element, position };
}
