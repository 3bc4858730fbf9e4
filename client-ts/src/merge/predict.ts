import type { Change, ChangeKind, FieldChange, FieldKind, Op, Value } from "../protocol/index.js";
import { numberRefusal } from "../protocol/writer.js";
import { apply, elementChanges } from "./fold.js";
import { findField, alive, valueOf } from "./record.js";
import type { Rec } from "./record.js";

/** How a schema lays out a field; undefined where it does not say. */
export type Kinds = (collection: string, field: string) => FieldKind | undefined;

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
  const change = (kind: ChangeKind, fields: readonly FieldChange[]) =>
    apply(r, { collection, id, kind, fields } satisfies Change, r?.version ?? 0);
  if (op.kind === "create") {
    if (r) return r;
    return change(
      "create",
      op.fields.flatMap(({ field, value }) => {
        const kind = kinds?.(collection, field) ?? "plain";
        return kind !== "plain" && Array.isArray(value) ? elementChanges(field, kind, value) : [plain(field, value)];
      }),
    );
  }
  if (op.kind === "undelete") return r?.deleted ? { collection, id, version: r.version, fields: r.fields } : r;
  if (!alive(r)) return r;
  if (op.kind === "delete" || op.kind === "resolve") return change("delete", []);
  if (op.kind === "set") {
    return change(
      "fields",
      op.fields.map(({ field, value }) => plain(field, value)),
    );
  }
  const { field } = op as Exclude<typeof op, { kind: "delete" | "undelete" }>;
  const one = (c: Partial<FieldChange> & Pick<FieldChange, "kind">) =>
    change("fields", [{ field, value: undefined, element: "", position: "", ...c }]);
  switch (op.kind) {
    case "unset":
      return one({ kind: "unset" });
    case "add":
    case "max":
    case "min": {
      const next = compute(op.kind, valueOf(r, field), op.value);
      return next === undefined ? r : one({ kind: "put", value: next });
    }
    case "set-add":
      return one({ kind: "set-added", value: op.value });
    case "set-remove":
      return one({ kind: "set-removed", value: op.value });
    case "list-insert": {
      const { element, position, value } = op;
      const f = findField(r, field);
      if (f?.kind === "list" && f.elements.some((e) => e.element === element)) return r;
      return one({ kind: "list-put", element, position, value });
    }
    case "list-move":
      return one({ kind: "list-moved", element: op.element, position: op.position });
    case "list-set":
      return one({ kind: "list-set", element: op.element, value: op.value });
    case "list-remove":
      return one({ kind: "list-removed", element: op.element });
  }
}

function plain(field: string, value: Value | undefined): FieldChange {
  return { field, kind: value === undefined ? "unset" : "put", value, element: "", position: "" };
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
