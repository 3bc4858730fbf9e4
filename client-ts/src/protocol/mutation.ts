import { bool, id, list, optional, parts, text, time, tuple, uint, uint32, value, word } from "./codec.js";
import type { Codec, Fields, Parts } from "./codec.js";
import { checkFormat, format } from "./format.js";
import { maxOps } from "./limits.js";
import { opKinds } from "./op.js";
import type { FieldValue, Mutation, Op, OpKind, Precondition } from "./op.js";
import { Reader } from "./reader.js";
import { Writer } from "./writer.js";

/** A field is [field, value], or [field, [value], [was]] if there is a was, or no value to set. */
const fieldValue: Codec<FieldValue> = {
  write(w, { field, value, was }) {
    const short = value !== undefined && was === undefined;
    w.array(short ? 2 : 3);
    w.text(field);
    if (short) return w.value(value);
    w.optional(value);
    w.optional(was);
  },
  read(r) {
    const n = r.array();
    const field = r.text();
    if (n === 2) return { field, value: r.value(), was: undefined };
    r.arity(3, n);
    const read = { field, value: r.optional(), was: r.optional() };
    return read.value !== undefined && read.was === undefined ? r.fail("the short form was possible") : read;
  },
};

function op<T>(fields: Fields<T>): Parts<never> {
  return parts(fields) as Parts<never>;
}

const fields = op({ fields: list(fieldValue, 48) });
const operand = op({ field: text, value });
const record = op({});

/** What stands behind the kind, the collection and the id of an op of each kind. */
const rest: { readonly [K in OpKind]: Parts<never> } = {
  create: fields,
  set: fields,
  unset: op({ field: text, was: optional }),
  add: operand,
  max: operand,
  min: operand,
  "set-add": operand,
  "set-remove": operand,
  "list-insert": op({ field: text, element: id, position: text, value }),
  "list-move": op({ field: text, element: id, position: text }),
  "list-set": op({ field: text, element: id, value, was: optional }),
  "list-remove": op({ field: text, element: id }),
  delete: record,
  undelete: record,
  resolve: op({ value: optional }),
};

const kind = word(opKinds, 1);
const ops = list<Op>({
  write(w, v) {
    const more = rest[v.kind];
    w.array(3 + more.width);
    kind.write(w, v.kind);
    w.text(v.collection);
    w.id(v.id);
    more.write(w, v as never);
  },
  read(r) {
    const n = r.array();
    const read = { kind: kind.read(r), collection: r.text(), id: r.id() };
    return rest[read.kind].read(r, n - 3, read);
  },
});

const mutation = parts<Mutation>({
  base: uint,
  editTime: time,
  schemaVersion: uint32,
  whole: bool,
  preconditions: list(tuple<Precondition>({ collection: text, id, field: text, version: uint }), 56),
  ops,
});

/** A mutation's body. It throws a ProtocolError for a value or a string that cannot be sent. */
export function encodeMutation(m: Mutation): Uint8Array {
  const w = new Writer();
  w.byte(format);
  w.array(6);
  mutation.write(w, m);
  return w.done();
}

/**
 * Reads a mutation's body, to which the mutation does not refer. It throws a
 * ProtocolError: `malformed`, `upgrade`, or `too-large` for more than `maxOps`
 * ops or more small parts than its bytes allow.
 */
export function decodeMutation(body: Uint8Array): Mutation {
  const r = checkFormat(new Reader(body), "mutation");
  // As package protocol bounds it, which counts in its own structures.
  r.memory = 4 * body.length + (256 << 10);
  const m = mutation.read(r, r.array(), {});
  const count = m.ops.length;
  if (!count || count > maxOps) r.fail(`${count} ops are not 1 to ${maxOps}`, count ? "too-large" : "malformed");
  r.end();
  return m;
}
