import { conflictCollection } from "../protocol/op.js";
import { compareText } from "../protocol/text.js";
import type { Change, ElementState, FieldChange, FieldState, Value } from "../protocol/index.js";
import { between } from "./position.js";
import { compareElements, contentOf, isVisible } from "./record.js";
import type { Key, Rec } from "./record.js";

/**
 * Folds the changes of one commit into records: give it the changes in their
 * order, then take the records. It never consults a schema and decides nothing.
 *
 * A record whose version is already at or beyond the commit, because its image
 * was read later than the cursor, is left as it is, however many of the commit's
 * mutations touch it.
 */
export class Fold {
  readonly #records = new Map<string, { key: Key; now: Rec | undefined; done: boolean }>();

  /** It asks load once for each record that the commit changes. */
  constructor(
    readonly seq: number,
    readonly load: (key: Key) => Rec | undefined,
  ) {}

  apply(c: Change): void {
    const text = `${c.collection.length}:${c.collection}${c.id}`;
    let r = this.#records.get(text);
    if (!r) {
      const now = this.load(c);
      r = { key: { collection: c.collection, id: c.id }, now, done: now !== undefined && now.version >= this.seq };
      this.#records.set(text, r);
    }
    if (!r.done) r.now = apply(r.now, c, this.seq);
  }

  /**
   * The records that changed, as they are after the changes so far, in the order
   * of their first change. Deleted ones are among them.
   */
  *records(): Iterable<[Key, Rec]> {
    for (const { key, now, done } of this.#records.values()) if (!done && now) yield [key, now];
  }
}

/**
 * The record after a change of the commit seq; undefined if there is no record
 * yet, and none is made. A change older than the record is skipped. One of the
 * same seq is applied, since several mutations of a commit may change a record:
 * who might fold a commit twice uses Fold.
 */
export function apply(r: Rec | undefined, c: Change, seq: number): Rec | undefined {
  if (r ? seq < r.version : c.kind === "fields") return r;
  const { collection, id, kind } = c;
  const base = { collection, id, version: seq };
  if (kind === "create" || kind === "undelete") return { ...base, fields: changeFields([], c.fields) };
  const fields = r?.fields ?? [];
  if (kind === "delete") return { ...base, fields: fields.filter((f) => f.field !== conflictCollection), deleted: true };
  return { ...base, fields: changeFields(fields, c.fields), ...(r?.deleted && { deleted: true }) };
}

function changeFields(before: readonly FieldState[], changes: readonly FieldChange[]): FieldState[] {
  const fields = [...before];
  // Sets and lists that were copied here, and may be changed in their places: a
  // change of a thousand elements copies a field once.
  const own = new Set<FieldState>();
  for (const c of changes) {
    const at = search(fields, (f) => compareText(f.field, c.field));
    const old = fields[at]?.field === c.field ? fields[at] : undefined;
    let f = old;
    if (c.kind === "put" || c.kind === "unset") {
      f = { field: c.field, kind: "plain", value: c.value, elements: [] };
    } else {
      const kind = c.kind.startsWith("set") ? "set" : "list";
      if (!f || f.kind !== kind || !own.has(f)) {
        f = { field: c.field, kind, value: undefined, elements: elementsOf(f, kind) };
        own.add(f);
      }
      changeElements(f.elements as ElementState[], c);
    }
    if (f !== old) fields.splice(at, old ? 1 : 0, f);
  }
  return fields.filter(isVisible);
}

/** Where the first entry stands for which compare is not negative; the list is in its order. */
function search<T>(list: readonly T[], compare: (entry: T) => number): number {
  let from = 0;
  let to = list.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (compare(list[middle]!) < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}

/**
 * A copy of a field's elements as a set or a list. Where it was something else,
 * under an earlier schema or in a prediction, the elements of an array become its
 * own, those of a list with the ids "0", "1", …; anything else gives way.
 */
function elementsOf(f: FieldState | undefined, kind: FieldState["kind"]): ElementState[] {
  if (f?.kind === kind) return [...f.elements];
  const values = contentOf(f);
  const elements: ElementState[] = [];
  if (!Array.isArray(values)) return elements;
  for (const c of elementChanges("", kind, values)) changeElements(elements, c);
  return elements;
}

/** The changes that make these values the elements of a new set or list. */
export function elementChanges(field: string, kind: FieldState["kind"], values: readonly Value[]): FieldChange[] {
  let position = "";
  return values.map((value, n): FieldChange => {
    if (kind === "set") return { field, kind: "set-added", value, element: "", position: "" };
    position = between(position, "");
    return { field, kind: "list-put", value, element: String(n), position };
  });
}

function changeElements(elements: ElementState[], c: FieldChange): void {
  const { element, kind } = c;
  if (kind === "set-kept") return;
  const inSet = kind === "set-added" || kind === "set-removed";
  let next: ElementState = { element, position: c.position, value: c.value as Value };
  let at = inSet ? search(elements, (e) => compareElements(e, next)) : elements.findIndex((e) => e.element === element);
  const old = elements[at];
  const found = old !== undefined && (!inSet || compareElements(old, next) === 0);
  if (kind === "list-moved" || kind === "list-set") {
    if (!found) return;
    next = kind === "list-set" ? { ...old, value: next.value } : { ...old, position: c.position };
  }
  if (found) elements.splice(at, 1);
  if (kind === "set-removed" || kind === "list-removed") return;
  if (!inSet) at = search(elements, (e) => compareElements(e, next));
  elements.splice(at, 0, next);
}
