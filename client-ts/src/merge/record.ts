import { compareValues, sameValue } from "../protocol/canonical.js";
import { compareText } from "../protocol/text.js";
import type { ElementState, FieldState, RecordState, Value } from "../protocol/index.js";

/** Names a record in its space. */
export interface Key {
  readonly collection: string;
  readonly id: string;
}

/**
 * The image of one record, as far as a client needs it: what everybody sees. Who
 * changed it, and when, is the gateway's business. It is immutable; what changes
 * gives a new one, which shares what did not change.
 */
export interface Rec extends RecordState {
  /** The record was deleted: nobody sees anything of it, but an undelete brings its fields back. */
  readonly deleted?: boolean;
}

/** Orders keys by collection, then id, both as bytes. */
export function compareKeys(a: Key, b: Key): number {
  return compareText(a.collection, b.collection) || compareText(a.id, b.id);
}

/** Orders elements as their field does: a list's by position, then id, a set's by their values. */
export function compareElements(a: ElementState, b: ElementState): number {
  return (
    compareText(a.position, b.position) ||
    compareText(a.element, b.element) ||
    (a.element === "" ? compareValues(a.value, b.value) : 0)
  );
}

/** Whether the record exists and is not deleted. */
export function alive(r: Rec | undefined): r is Rec {
  return r !== undefined && !r.deleted;
}

/** The field at a path; undefined if the record has no such, or is deleted. */
export function fieldOf(r: Rec | undefined, path: string): FieldState | undefined {
  return alive(r) ? r.fields.find((f) => f.field === path) : undefined;
}

/** The content of a field as one value, the array of its elements for a set or a list; undefined if it has none. */
export function contentOf(f: FieldState | undefined): Value | undefined {
  return f && f.kind !== "plain" ? f.elements.map((e) => e.value) : f?.value;
}

/** What everybody sees in a field of a record; see contentOf. */
export function valueOf(r: Rec | undefined, path: string): Value | undefined {
  return contentOf(fieldOf(r, path));
}

/** Whether the fields of two records hold the same values, whatever their versions and positions. */
export function sameContent(a: Rec | undefined, b: Rec | undefined): boolean {
  return sameFields(a, b, (f, g) => sameValue(contentOf(f), contentOf(g)));
}

/** Whether two records look the same to everybody, version and positions included. */
export function sameState(a: Rec | undefined, b: Rec | undefined): boolean {
  return alive(a) && alive(b) && a.version === b.version && sameFields(a, b, sameField);
}

function sameFields(a: Rec | undefined, b: Rec | undefined, same: (f: FieldState, g: FieldState) => boolean): boolean {
  const before = alive(a) ? a.fields : [];
  const after = alive(b) ? b.fields : [];
  return pairs(before, after, (f, g) => f === g || (f.field === g.field && same(f, g)));
}

function sameField(f: FieldState, g: FieldState): boolean {
  return f.kind === g.kind && sameValue(f.value, g.value) && pairs(f.elements, g.elements, (a, b) => compareElements(a, b) === 0 && sameValue(a.value, b.value));
}

function pairs<T>(a: readonly T[], b: readonly T[], same: (a: T, b: T) => boolean): boolean {
  return a.length === b.length && a.every((v, i) => same(v, b[i]!));
}

/** A set or a list without elements is absent, as a removed field is. */
export function isVisible(f: FieldState): boolean {
  return f.kind === "plain" ? f.value !== undefined : f.elements.length > 0;
}

/**
 * The record that a snapshot gives. What a gateway sends is in order, and then it
 * is the state itself; what is not is put in order, and what is there twice goes.
 */
export function recordFromState(state: RecordState): Rec {
  const { fields } = state;
  if (isStrict(fields, compareFields) && fields.every((f) => orderedField(f) === f && isVisible(f))) return state;
  return { ...state, fields: strictly(fields.map(orderedField), compareFields, true).filter(isVisible) };
}

function compareFields(a: FieldState, b: FieldState): number {
  return compareText(a.field, b.field);
}

function orderedField(f: FieldState): FieldState {
  if (f.elements.length < 2) return f;
  let { elements } = f;
  if (f.kind === "list") {
    const first = new Map<string, ElementState>();
    for (const e of elements) if (!first.has(e.element)) first.set(e.element, e);
    if (first.size < elements.length) elements = [...first.values()];
  }
  elements = strictly(elements, compareElements, false);
  return elements === f.elements ? f : { ...f, elements };
}

/** The list in strict order: itself, if it is; else sorted, and of what is equal the last or the first. */
function strictly<T>(list: readonly T[], compare: (a: T, b: T) => number, last: boolean): readonly T[] {
  if (isStrict(list, compare)) return list;
  const sorted = [...list].sort(compare); // which is stable
  return sorted.filter((v, i) => {
    const other = sorted[last ? i + 1 : i - 1];
    return other === undefined || compare(other, v) !== 0;
  });
}

function isStrict<T>(list: readonly T[], compare: (a: T, b: T) => number): boolean {
  return list.every((v, i) => i === 0 || compare(list[i - 1]!, v) < 0);
}
