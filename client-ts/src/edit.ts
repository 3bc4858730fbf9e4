// Drafts: what the app does to them becomes ops.
import { TideError } from "./error.js";
import { between } from "./merge/position.js";
import type { FieldState, Policy, Value } from "./protocol/index.js";
import { isObject, same, shownField } from "./rows.js";
import type { Counter, ListItem, ListOf, Max, Min, OneValue, SetOf } from "./rows.js";
import { setOps, shortValue } from "./tx.js";
import type { Making } from "./tx.js";
import type { Key } from "./watch.js";

/** A counter in a draft. */
export interface CounterDraft {
  /** The number with the edits so far. */
  readonly value: number;
  /** Adds a number, which may be negative: 1 if left out. */
  add(number?: number): void;
}

/** A max or min field in a draft. */
export interface BoundDraft {
  readonly value: number | undefined;
  /** Raises a max field, or lowers a min field, to the number if it is beyond the present one. */
  to(number: number): void;
}

/** A set in a draft. Assigning an array adds and removes what differs. */
export interface SetDraft<E> extends Iterable<E> {
  readonly size: number;
  has(element: E): boolean;
  add(element: E): void;
  /** Removes an element. An add by somebody else that this device has not seen survives. */
  remove(element: E): void;
}

/** A list in a draft. Elements are named by their ids. */
export interface ListDraft<E> extends Iterable<ListItem<E>> {
  readonly length: number;
  /** Inserts a value so that it stands at index, and returns its element's id. An index past the end appends. */
  insert(index: number, value: E): string;
  /** Appends a value and returns its element's id. */
  push(value: E): string;
  /** Moves an element so that it stands at index, counted without it. */
  move(element: string, index: number): void;
  /** Gives an element a new value. */
  set(element: string, value: E): void;
  remove(element: string): void;
}

type IsAny<F> = 0 extends 1 & F ? true : false;
type Atom = null | boolean | number | string | Uint8Array | readonly unknown[] | undefined;

/** A field in a draft: assigned, or edited through its methods. */
export type Drafted<F> =
  IsAny<F> extends true ? any
  : F extends Counter ? CounterDraft
  : F extends Max | Min ? BoundDraft
  : F extends SetOf<infer E> ? SetDraft<E>
  : F extends ListOf<infer E> ? ListDraft<E>
  : F extends OneValue<infer T> ? T
  : F extends Atom ? F
  : Draft<F>;

/** The fields that a draft always has, be there something in them or not: those with methods, and objects of fields. */
type Always<F> = { [K in keyof F]-?: IsAny<F[K]> extends true ? never : NonNullable<F[K]> extends Atom | OneValue<unknown> ? never : K }[keyof F];

/**
 * A record to edit. An assignment sets a field, `delete` removes it; a field that
 * is assigned what it holds is left alone. Counters, sets and lists have methods.
 * Values themselves are read only: assign a new array or object.
 */
export type Draft<F> = IsAny<F> extends true
  ? any
  : { -readonly [K in keyof F as K extends Always<F> ? never : K]: Drafted<F[K]> } & { readonly [K in Always<F>]-?: Drafted<NonNullable<F[K]>> };

/** Runs the app's edit on a draft of a record, and adds the ops it makes to the mutation. */
export function editRecord(tx: Making, key: Key, edit: (draft: any) => void): void {
  const { rules } = tx.desk;
  const policy = (path: string): Policy | undefined => rules?.policy(key.collection, path);
  /** Fields assigned so far; undefined removes. They become ops at the end, so that a group's stand together. */
  const assigned = new Map<string, Value | undefined>();
  const fields = () => tx.seen(key)?.fields ?? [];
  const field = (path: string): FieldState | undefined => fields().find((f) => f.field === path);
  const refuse = (path: string, why: string): never => {
    throw new TideError("invalid", `${path} ${why}`, { field: path });
  };

  /** The methods of a field whose policy, or whose content, calls for them. */
  const special = (path: string): object | undefined => {
    switch (policy(path)) {
      case "counter":
        return counterDraft(tx, key, path, field);
      case "max":
        return boundDraft(tx, key, path, "max", field);
      case "min":
        return boundDraft(tx, key, path, "min", field);
      case "set":
        return setDraft(tx, key, path, field);
      case "list":
        return listDraft(tx, key, path, field);
    }
    const kind = field(path)?.kind;
    return kind === "set" ? setDraft(tx, key, path, field) : kind === "list" ? listDraft(tx, key, path, field) : undefined;
  };

  const isInner = (path: string): boolean =>
    rules?.isObject(key.collection, path) || fields().some((f) => f.field.startsWith(path + "."));

  const assign = (path: string, value: unknown): void => {
    const draft = special(path);
    if (draft && "replace" in draft) {
      if (Array.isArray(value)) return (draft.replace as (values: unknown[]) => void)(value);
      refuse(path, "is a set: assign an array, or use add and remove");
    }
    if (draft) refuse(path, `is not assigned: use ${Object.keys(draft).filter((n) => n !== "value" && n !== "length").join(", ")}`);
    if (isObject(value) && isInner(path)) {
      for (const [name, inner] of Object.entries(value)) assign(`${path}.${name}`, inner);
    } else if (value === undefined) {
      remove(path);
    } else {
      const flat = new Map<string, Value>();
      tx.flatten(key.collection, path, value, flat);
      for (const [name, leaf] of flat) assigned.set(name, leaf);
    }
  };

  const remove = (path: string): void => {
    if (isInner(path)) {
      for (const f of fields()) if (f.field.startsWith(path + ".")) assigned.set(f.field, undefined);
    } else {
      assigned.set(path, undefined);
    }
  };

  /** What a field of the draft gives when it is read. */
  const read = (path: string): unknown => {
    if (assigned.has(path)) return assigned.get(path);
    const draft = special(path);
    if (draft) return draft;
    if (isInner(path)) return proxy(path + ".");
    const plain = field(path);
    return plain && shownField(plain, false);
  };

  const proxy = (prefix: string): object => {
    const path = (name: string) => prefix + name;
    const names = () => {
      const found = new Set<string>();
      for (const name of [...fields().map((f) => f.field), ...assigned.keys()]) {
        if (name.startsWith(prefix) && name[0] !== "_" && read(name) !== undefined) found.add(name.slice(prefix.length).split(".")[0] as string);
      }
      return [...found];
    };
    return new Proxy(
      {},
      {
        get: (_, name) => (typeof name !== "string" ? undefined : prefix + name === "id" ? key.id : read(path(name))),
        set(_, name, value) {
          if (typeof name !== "string" || path(name) === "id") refuse(String(name), "cannot be assigned");
          else assign(path(name), value);
          return true;
        },
        deleteProperty(_, name) {
          if (typeof name === "string") remove(path(name));
          return true;
        },
        has: (_, name) => names().includes(String(name)),
        ownKeys: names,
        getOwnPropertyDescriptor: (_, name) =>
          names().includes(String(name)) ? { value: read(path(String(name))), enumerable: true, configurable: true, writable: true } : undefined,
      },
    );
  };

  edit(proxy(""));
  for (const [name, value] of assigned) {
    if (same(value, field(name)?.value)) assigned.delete(name);
  }
  setOps(tx, key, assigned);
}

type Look = (path: string) => FieldState | undefined;

function number(look: Look, path: string): number | undefined {
  const value = look(path)?.value;
  return typeof value === "number" ? value : undefined;
}

function counterDraft(tx: Making, key: Key, path: string, look: Look): CounterDraft {
  return {
    get value() {
      return number(look, path) ?? 0;
    },
    add(n = 1) {
      tx.add({ kind: "add", ...key, field: path, value: tx.value(path, n) });
    },
  };
}

function boundDraft(tx: Making, key: Key, path: string, kind: "max" | "min", look: Look): BoundDraft {
  return {
    get value() {
      return number(look, path);
    },
    to(n) {
      tx.add({ kind, ...key, field: path, value: tx.value(path, n) });
    },
  };
}

function setDraft(tx: Making, key: Key, path: string, look: Look): SetDraft<any> & { replace(values: unknown[]): void } {
  const elements = (): unknown[] => {
    const state = look(path);
    return (state && (shownField(state, false) as unknown[])) || [];
  };
  const has = (element: unknown) => elements().some((e) => same(e, element));
  const op = (kind: "set-add" | "set-remove", element: unknown) => tx.add({ kind, ...key, field: path, value: tx.value(path, element) });
  return {
    get size() {
      return elements().length;
    },
    has,
    add: (element) => op("set-add", element),
    remove: (element) => op("set-remove", element),
    replace(values) {
      for (const e of elements()) if (!values.some((v) => same(v, e))) op("set-remove", e);
      for (const v of values) if (!has(v)) op("set-add", v);
    },
    [Symbol.iterator]: () => elements()[Symbol.iterator](),
  };
}

function listDraft(tx: Making, key: Key, path: string, look: Look): ListDraft<any> {
  const elements = (): { id: string; value: Value; position: string }[] => {
    const state = look(path);
    if (state?.kind === "list") return state.elements.map((e) => ({ id: e.element, value: e.value, position: e.position }));
    // As the fold lays out an array that becomes a list.
    let position = "";
    return ((state && (shownField(state, true) as ListItem<Value>[])) || []).map((e) => ({ ...e, position: (position = between(position, "")) }));
  };
  /** A position between the elements at index-1 and index, without being bothered by the one that moves. */
  const place = (index: number, moving?: string): string => {
    const list = elements().filter((e) => e.id !== moving);
    const at = Math.min(Math.max(index, 0), list.length);
    return between(list[at - 1]?.position ?? "", list[at]?.position ?? "");
  };
  const target = { ...key, field: path };
  const insert = (index: number, value: unknown): string => {
    const element = tx.desk.newID();
    tx.add({ kind: "list-insert", ...target, element, position: place(index), value: tx.value(path, value) });
    return element;
  };
  return {
    get length() {
      return elements().length;
    },
    insert,
    push: (value) => insert(Infinity, value),
    move: (element, index) => tx.add({ kind: "list-move", ...target, element, position: place(index, element) }),
    set: (element, value) =>
      tx.add({
        kind: "list-set",
        ...target,
        element,
        value: tx.value(path, value),
        was: shortValue(elements().find((e) => e.id === element)?.value),
      }),
    remove: (element) => tx.add({ kind: "list-remove", ...target, element }),
    [Symbol.iterator]: () =>
      elements()
        .map(({ id, value }): ListItem<Value> => ({ id, value }))
        [Symbol.iterator](),
  };
}
