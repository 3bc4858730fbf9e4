import { predict } from "../merge/predict.js";
import type { Kinds } from "../merge/predict.js";
import { alive, fieldOf, sameContent, valueOf } from "../merge/record.js";
import type { Rec } from "../merge/record.js";
import { conflictCollection, sameValue } from "../protocol/index.js";
import type { FieldValue, Op, Value } from "../protocol/index.js";
import { keyText } from "../watch.js";
import type { Key } from "../watch.js";

/** An op that was made, and the record as it was before and after it. */
export interface Step {
  readonly op: Op;
  readonly before: Rec | undefined;
  readonly after: Rec | undefined;
}

/** Splits a mutation into steps; `before` has its records as they were. */
export function stepsOf(ops: readonly Op[], before: ReadonlyMap<string, Rec | undefined>, kinds: Kinds | undefined): Step[] {
  const now = new Map(before);
  return ops.map((op) => {
    const was = now.get(keyText(op));
    const after = predict(was, op, kinds);
    now.set(keyText(op), after);
    return { op, before: was, after };
  });
}

/** What an inverse needs to know. */
export interface Present {
  look(key: Key): Rec | undefined;
  newID(): string;
  readonly kinds: Kinds | undefined;
  /** New names of list elements that were removed and are back: an id is never used twice. */
  readonly renamed: Map<string, string>;
}

/**
 * The ops that take steps back, the last one first, as far as what they made is
 * still there:
 *
 * - a value, or an element's, is put back only if nobody has changed it since;
 * - a counter is moved back by the same amount, whatever others did to it;
 * - an element of a set is taken out or put back as it is there or not;
 * - an element of a list that was inserted is removed unless its value was changed,
 *   a removed one is inserted where it was, a moved one goes back unless it was
 *   moved again;
 * - a record that was made is deleted unless somebody has edited it since, a
 *   deleted one comes back;
 * - a maximum, a minimum and a resolved conflict stay.
 */
export function inverse(steps: readonly Step[], present: Present): Op[] {
  const ops: Op[] = [];
  const local = new Map<string, Rec | undefined>();
  for (const step of [...steps].reverse()) {
    const text = keyText(step.op);
    const now = local.has(text) ? local.get(text) : present.look(step.op);
    const op = inverseOf(step, now, present);
    if (!op) continue;
    ops.push(op);
    local.set(text, predict(now, op, present.kinds));
  }
  return ops;
}

function same(a: Value | undefined, b: Value | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameValue(a, b);
}

function inverseOf({ op, before, after }: Step, now: Rec | undefined, present: Present): Op | undefined {
  const { collection, id } = op;
  if (collection === conflictCollection) return undefined;
  if (op.kind === "create" || op.kind === "undelete") {
    if (!alive(now) || alive(before) || !sameContent(now, after)) return undefined;
    return { kind: "delete", collection, id };
  }
  if (op.kind === "delete") return alive(now) || !alive(before) ? undefined : { kind: "undelete", collection, id };
  if (!alive(now)) return undefined;
  switch (op.kind) {
    case "set":
      if (!op.fields.every(({ field, value }) => same(valueOf(now, field), value))) return undefined;
      return restored(op, op.fields.map(({ field }) => field), before, now);
    case "unset":
      return valueOf(now, op.field) === undefined ? restored(op, [op.field], before, now) : undefined;
    case "add":
      return op.value === 0 ? undefined : { kind: "add", collection, id, field: op.field, value: -(op.value as number) };
    case "set-add":
    case "set-remove": {
      const had = hasElement(before, op.field, op.value);
      const has = hasElement(now, op.field, op.value);
      if (had === hasElement(after, op.field, op.value) || has === had) return undefined;
      return { kind: had ? "set-add" : "set-remove", collection, id, field: op.field, value: op.value };
    }
    case "list-insert":
    case "list-move":
    case "list-set":
    case "list-remove":
      return inverseInList(op, before, after, now, present);
  }
  return undefined;
}

/** Puts fields back to what they were. */
function restored(target: Key, names: readonly string[], before: Rec | undefined, now: Rec): Op | undefined {
  const { collection, id } = target;
  const fields = names.map((field): FieldValue => ({ field, value: valueOf(before, field) }));
  if (fields.every(({ field, value }) => same(value, valueOf(now, field)))) return undefined;
  const [only] = fields;
  if (fields.length === 1 && only && only.value === undefined) return { kind: "unset", collection, id, field: only.field };
  return { kind: "set", collection, id, fields };
}

function hasElement(record: Rec | undefined, path: string, value: Value): boolean {
  return alive(record) && (fieldOf(record, path)?.elements.some((e) => sameValue(e.value, value)) ?? false);
}

type ListOp = Op & { readonly kind: "list-insert" | "list-move" | "list-set" | "list-remove" };

function inverseInList(op: ListOp, before: Rec | undefined, after: Rec | undefined, now: Rec, present: Present): Op | undefined {
  const { collection, id, field } = op;
  const renamed = `${keyText(op)} ${field} `;
  let element = op.element;
  for (let next = element; next !== undefined; next = present.renamed.get(renamed + element) as string) element = next;
  const find = (record: Rec | undefined, name: string) => (alive(record) ? fieldOf(record, field)?.elements.find((e) => e.element === name) : undefined);
  const was = find(before, op.element);
  const made = find(after, op.element);
  const is = find(now, element);
  const base = { collection, id, field };
  if (op.kind === "list-remove") {
    if (!was || is) return undefined;
    const fresh = present.newID();
    present.renamed.set(renamed + element, fresh);
    return { kind: "list-insert", ...base, element: fresh, position: was.position, value: was.value };
  }
  if (!is || !made) return undefined;
  if (op.kind === "list-insert") return !was && sameValue(is.value, made.value) ? { kind: "list-remove", ...base, element } : undefined;
  if (!was) return undefined;
  if (op.kind === "list-move") return is.position === made.position && is.position !== was.position ? { kind: "list-move", ...base, element, position: was.position } : undefined;
  return sameValue(is.value, made.value) && !sameValue(is.value, was.value) ? { kind: "list-set", ...base, element, value: was.value } : undefined;
}
