import type { ChangeKind, FieldChange, FieldChangeKind, FieldKind, FieldValue, Op, OpKind, Value } from "../protocol/index.js";
import { numberRefusal } from "../protocol/writer.js";
import { apply, elementChanges } from "./fold.js";
import { alive, fieldOf, valueOf } from "./record.js";
import type { Rec } from "./record.js";

/** How a schema lays out a field; undefined where it does not say. */
export type Kinds = (collection: string, field: string) => FieldKind | undefined;

/** The changes that ops on a field make, those of arithmetic left out. */
const changeOf: { readonly [kind in OpKind]?: FieldChangeKind } = {
  unset: "unset",
  "set-add": "set-added",
  "set-remove": "set-removed",
  "list-insert": "list-put",
  "list-move": "list-moved",
  "list-set": "list-set",
  "list-remove": "list-removed",
};

/**
 * What a client shows of a record while an op on it is pending: the op's effect
 * as if nothing were concurrent. An op that would be rejected changes nothing.
 * The version stays the confirmed one.
 *
 * A resolve makes the open conflict go, which is its record; what happens to the
 * field is predicted as a set of the record that the conflict is about. With
 * kinds, a created record's arrays are laid out as the gateway will.
 */
export function predict(r: Rec | undefined, op: Op, kinds?: Kinds): Rec | undefined {
  const { collection, id } = op;
  const version = r?.version ?? 0;
  const change = (kind: ChangeKind, fields: readonly FieldChange[] = []) => apply(r, { collection, id, kind, fields }, version);
  switch (op.kind) {
    case "create":
      return r ?? change("create", op.fields.flatMap((f) => created(f, kinds?.(collection, f.field))));
    case "undelete":
      return r?.deleted ? { collection, id, version, fields: r.fields } : r;
  }
  if (!alive(r)) return r;
  switch (op.kind) {
    case "delete":
    case "resolve":
      return change("delete");
    case "set":
      return change("fields", op.fields.flatMap((f) => created(f)));
    case "add":
    case "max":
    case "min": {
      const next = compute(op.kind, valueOf(r, op.field), op.value);
      return next === undefined ? r : change("fields", [put(op.field, next)]);
    }
    case "list-insert": {
      const f = fieldOf(r, op.field);
      if (f?.kind === "list" && f.elements.some((e) => e.element === op.element)) return r;
    }
  }
  // What is left names a field, and its parts are called as the change's are.
  return change("fields", [{ ...put("", undefined), ...(op as Exclude<Op, { kind: "delete" | "undelete" }>), kind: changeOf[op.kind]! }]);
}

function put(field: string, value: Value | undefined): FieldChange {
  return { field, kind: value === undefined ? "unset" : "put", value, element: "", position: "" };
}

/** What gives a field its value, laid out as its kind is. */
function created({ field, value }: FieldValue, kind: FieldKind = "plain"): readonly FieldChange[] {
  return kind !== "plain" && Array.isArray(value) ? elementChanges(field, kind, value) : [put(field, value)];
}

/**
 * An arithmetic op's result; undefined if nothing changes. What is no number (an
 * absent field, or one from before the schema made it a number) counts as not
 * there.
 */
function compute(kind: "add" | "max" | "min", old: Value | undefined, operand: Value): Value | undefined {
  if (typeof old !== "number") return operand;
  const n = typeof operand === "number" ? operand : 0;
  if (kind === "max") return n > old ? operand : undefined;
  if (kind === "min") return n < old ? operand : undefined;
  const next = old + n;
  return next === old || numberRefusal(next) ? undefined : next;
}
