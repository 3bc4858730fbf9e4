// How records look to the app, as types and as objects.
import type { FieldState, RecordState, Value } from "./protocol/index.js";

declare const kind: unique symbol;

/** In a schema's type: a number that everybody adds to. */
export interface Counter {
  readonly [kind]: "counter";
}
/** In a schema's type: a number that only grows, or only shrinks. */
export interface Max {
  readonly [kind]: "max";
}
export interface Min {
  readonly [kind]: "min";
}
/** In a schema's type: a set, merged element by element. */
export interface SetOf<T> {
  readonly [kind]: ["set", T];
}
/** In a schema's type: a list whose elements can be inserted, moved and removed by several people at once. */
export interface ListOf<T> {
  readonly [kind]: ["list", T];
}

/** In a schema's type: an object, or what holds objects, that is one value: it is assigned, not edited within. */
export interface OneValue<T> {
  readonly [kind]: ["value", T];
}

/** An element of a list. The id stays when it moves or changes. */
export interface ListItem<T> {
  readonly id: string;
  readonly value: T;
}

type IsAny<F> = 0 extends 1 & F ? true : false;
type Atom = null | boolean | number | string | Uint8Array | readonly unknown[] | undefined;

/** A field as it is shown in a row. */
export type Shown<F> =
  IsAny<F> extends true ? any
  : F extends Counter | Max | Min ? number
  : F extends SetOf<infer E> ? readonly E[]
  : F extends ListOf<infer E> ? readonly ListItem<E>[]
  : F extends OneValue<infer T> ? T
  : F extends Atom ? F
  : { readonly [K in keyof F]: Shown<F[K]> };

/** A field as it is given to a new record. */
export type Given<F> =
  IsAny<F> extends true ? any
  : F extends Counter | Max | Min ? number
  : F extends SetOf<infer E> | ListOf<infer E> ? readonly E[]
  : F extends OneValue<infer T> ? T
  : F extends Atom ? F
  : { readonly [K in keyof F]: Given<F[K]> };

/** How far a row's edits are: `local` on this device, `sent` on the present connection, `durable` on the server. */
export type RowState = "local" | "sent" | "durable";

/**
 * What a row says about itself. The names begin with "_", which no field's does.
 */
export interface Marks {
  /** The record's id. It hides a field of that name. */
  readonly id: string;
  /** Whether edits of this device without a verdict are shown in the row. */
  readonly _pending: boolean;
  /** How far the least of these is. */
  readonly _state: RowState;
  /** Whether a conflict about the row waits for a person: an open one, or a settled one that was not dismissed. */
  readonly _conflict: boolean;
  /** The seq of the commit that changed the record last; 0 if it is only predicted yet. */
  readonly _version: number;
}

/**
 * A record at one moment: its fields and its marks. A row does not change; the
 * same object comes again until something in it differs.
 */
export type Row<F> = IsAny<F> extends true ? Marks & { readonly [field: string]: any } : { readonly [K in keyof F]: Shown<F[K]> } & Marks;

/** The collections of a space by their names, and the fields of their records. */
export type Collections = { [collection: string]: any };

/** A field of a list or set policy holds these values as the app sees them. */
export function shownField(field: FieldState, asList: boolean): unknown {
  switch (field.kind) {
    case "set":
      return field.elements.map((e) => e.value);
    case "list":
      return field.elements.map((e): ListItem<Value> => ({ id: e.element, value: e.value }));
    default:
      // Until its commit comes, a new record's list is the array that it was given as;
      // the elements will be called "0", "1", ….
      if (asList && Array.isArray(field.value)) return field.value.map((value, n) => ({ id: String(n), value }));
      return freeze(field.value);
  }
}

/** Values are shared by everybody who looks: an app that changes one in place is told so by an exception. */
function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !(value instanceof Uint8Array) && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}

/** Puts a value at a path of an object, making the objects between. */
export function put(target: Record<string, unknown>, path: string, value: unknown): void {
  if (!path.includes(".") && path !== "__proto__") {
    target[path] = value; // rows that are made alike are kept alike by the engine
    return;
  }
  const parts = path.split(".");
  const last = parts.pop() as string;
  for (const part of parts) {
    const inner = Object.hasOwn(target, part) ? target[part] : undefined;
    target = isObject(inner) ? inner : (define(target, part, {}) as Record<string, unknown>);
  }
  define(target, last, value);
}

/** Like an assignment, also for the name "__proto__". */
function define(target: object, name: string, value: unknown): unknown {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
  return value;
}

/** Whether it is an object with fields, not an array, bytes, or of a class. */
export function isObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Makes the row of a record. */
export function rowOf(state: RecordState, marks: Omit<Marks, "id" | "_version">, isList: (path: string) => boolean): Row<any> {
  const row: Record<string, unknown> = {};
  for (const field of state.fields) {
    if (field.field[0] !== "_") put(row, field.field, shownField(field, isList(field.field)));
  }
  row["id"] = state.id;
  Object.assign(row, marks);
  row["_version"] = state.version;
  return row as unknown as Row<any>;
}

/** Whether two values look the same. */
export function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || !a || !b) return false;
  if (Array.isArray(a) !== Array.isArray(b) || a instanceof Uint8Array !== b instanceof Uint8Array) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((n) => Object.hasOwn(b, n) && same((a as any)[n], (b as any)[n]));
}
