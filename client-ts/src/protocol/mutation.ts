import { checkFormat, format } from "./format.js";
import { maxOps } from "./limits.js";
import { opKinds } from "./op.js";
import type { FieldValue, Mutation, Op, OpKind, Precondition } from "./op.js";
import { Reader } from "./reader.js";
import type { Value } from "./value.js";
import { Writer } from "./writer.js";

// What stands behind the kind, the collection and the id of an op: fields, a
// field, an element, a position, a value, an optional (v)alue or (w)as.
const shapes: { readonly [kind in OpKind]: string } = {
  create: "F",
  set: "F",
  unset: "fo",
  add: "fv",
  max: "fv",
  min: "fv",
  "set-add": "fv",
  "set-remove": "fv",
  "list-insert": "fepv",
  "list-move": "fep",
  "list-set": "fevo",
  "list-remove": "fe",
  delete: "",
  undelete: "",
  resolve: "r",
};

/** An op of any kind, while it is written or read. */
interface AnyOp {
  kind: OpKind;
  collection: string;
  id: string;
  fields?: readonly FieldValue[];
  field?: string;
  element?: string;
  position?: string;
  value?: Value | undefined;
  was?: Value | undefined;
}

/** A mutation's body. It throws a ProtocolError for a value, a string or a number that cannot be sent. */
export function encodeMutation(m: Mutation): Uint8Array {
  const w = new Writer();
  w.byte(format);
  w.array(6);
  w.int(m.base);
  w.int(m.editTime);
  w.int(m.schemaVersion);
  w.bool(m.whole);
  w.array(m.preconditions.length);
  for (const p of m.preconditions) {
    w.array(4);
    w.text(p.collection);
    w.id(p.id);
    w.text(p.field);
    w.int(p.version);
  }
  w.array(m.ops.length);
  for (const op of m.ops) writeOp(w, op);
  return w.done();
}

function writeOp(w: Writer, op: AnyOp): void {
  const shape = shapes[op.kind];
  w.array(3 + shape.length);
  w.int(opKinds.indexOf(op.kind) + 1);
  w.text(op.collection);
  w.id(op.id);
  for (const part of shape) {
    if (part === "F") writeFields(w, op.fields!);
    else if (part === "f") w.text(op.field!);
    else if (part === "e") w.id(op.element!);
    else if (part === "p") w.text(op.position!);
    else if (part === "v") w.value(op.value);
    else w.optional(part === "r" ? op.value : op.was);
  }
}

/** A field is [field, value], or [field, [value], [was]] if there is a was, or no value to set. */
function writeFields(w: Writer, fields: readonly FieldValue[]): void {
  w.array(fields.length);
  for (const { field, value, was } of fields) {
    const short = value !== undefined && was === undefined;
    w.array(short ? 2 : 3);
    w.text(field);
    if (short) {
      w.value(value);
      continue;
    }
    w.optional(value);
    w.optional(was);
  }
}

/**
 * Reads a mutation's body, to which the mutation does not refer. It throws a
 * ProtocolError: `malformed`, `upgrade`, or `too-large` for more than `maxOps`
 * ops or more small parts than its bytes allow.
 */
export function decodeMutation(body: Uint8Array): Mutation {
  checkFormat(body);
  const r = new Reader(body);
  r.what = "mutation";
  r.pos = 1;
  // As package protocol bounds it, which counts in its own structures.
  r.memory = 4 * body.length + (256 << 10);
  r.tuple("mutation", 6);
  const m = {
    base: r.uint("base"),
    editTime: r.int("edit time"),
    schemaVersion: r.uint("schema version", 2 ** 32 - 1),
    whole: r.bool("whole"),
    preconditions: r.list("preconditions", (): Precondition => {
      r.tuple("precondition", 4);
      return { collection: r.text("collection"), id: r.id("id"), field: r.text("field"), version: r.uint("version") };
    }, 56),
    ops: [] as Op[],
  };
  const count = r.array("ops", 0);
  if (count === 0) r.fail("ops", "there is none");
  if (count > maxOps) r.fail("ops", `${count} are more than ${maxOps}`, "too-large");
  while (m.ops.length < count) m.ops.push(readOp(r));
  r.end();
  return m;
}

function readOp(r: Reader): Op {
  const n = r.array("op");
  if (n < 3) r.fail("op", `expected 3 elements at least, found ${n}`);
  const number = r.uint("op's kind");
  const kind = opKinds[number - 1] ?? r.fail("op's kind", `${number} is not known`);
  const shape = shapes[kind];
  r.arity("op", n, 3 + shape.length);
  const op: AnyOp = { kind, collection: r.text("collection"), id: r.id("id") };
  for (const part of shape) {
    if (part === "F") op.fields = r.list("fields", () => readField(r), 48);
    else if (part === "f") op.field = r.text("field");
    else if (part === "e") op.element = r.id("element");
    else if (part === "p") op.position = r.text("position");
    else if (part === "v") op.value = r.value("value");
    else op[part === "r" ? "value" : "was"] = r.optional(part === "r" ? "value" : "was");
  }
  return op as Op;
}

function readField(r: Reader): FieldValue {
  const n = r.array("field");
  if (n !== 2 && n !== 3) r.fail("field", `expected 2 or 3 elements, found ${n}`);
  const field = r.text("field");
  if (n === 2) return { field, value: r.value("value"), was: undefined };
  const value = r.optional("value");
  const was = r.optional("was");
  if (value !== undefined && was === undefined) r.fail("field", "the short form was possible");
  return { field, value, was };
}
