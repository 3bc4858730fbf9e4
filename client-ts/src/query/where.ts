import { same } from "../rows.js";
import type { ListItem } from "../rows.js";
import { compare, rank } from "./order.js";
import type { At, Path } from "./path.js";
import { reader } from "./path.js";

/**
 * What a value must be; all that are given hold. Values of different types are
 * never less or greater than one another.
 */
export interface Operators<V> {
  readonly eq?: V | undefined;
  readonly ne?: V | undefined;
  readonly lt?: V;
  readonly lte?: V;
  readonly gt?: V;
  readonly gte?: V;
  /** One of these. */
  readonly in?: readonly V[];
  /** A string that begins so. */
  readonly prefix?: NonNullable<V> extends string ? string : never;
  /** A set or an array with this element, or a list with this value. */
  readonly has?: NonNullable<V> extends readonly (infer E)[] ? (E extends ListItem<infer T> ? T : E) : unknown;
}

/** A value that is wanted as it is, or operators. An object that is wanted as it is needs `eq`. */
export type Condition<V> = Operators<V> | (NonNullable<V> extends readonly unknown[] | Uint8Array | string | number | boolean ? V : never);

/** Conditions by path, which must all hold; or a function, which must be pure. */
export type Where<R> = { readonly [P in Path<R>]?: Condition<At<R, P>> } | ((row: R) => boolean);

/** A compiled where. */
export interface Filter<R> {
  readonly test: (row: R) => boolean;
  /** What can be looked up: a path, and the values of which it must have one. */
  readonly lookup?: { readonly path: string; readonly values: readonly unknown[] };
}

type Test = (value: unknown) => boolean;

const within = (wanted: unknown, holds: (order: number) => boolean): Test => {
  const kind = rank(wanted);
  return (value) => rank(value) === kind && holds(compare(value, wanted));
};

const operators: Record<string, (wanted: unknown) => Test> = {
  eq: (wanted) => (value) => same(value, wanted),
  ne: (wanted) => (value) => !same(value, wanted),
  lt: (wanted) => within(wanted, (order) => order < 0),
  lte: (wanted) => within(wanted, (order) => order <= 0),
  gt: (wanted) => within(wanted, (order) => order > 0),
  gte: (wanted) => within(wanted, (order) => order >= 0),
  in: (wanted) => {
    const all = wanted as readonly unknown[];
    const simple = new Set(all);
    return (value) => simple.has(value) || (typeof value === "object" && all.some((each) => same(each, value)));
  },
  prefix: (wanted) => (value) => typeof value === "string" && value.startsWith(wanted as string),
  has: (wanted) => (value) => Array.isArray(value) && value.some((each: unknown) => same(each, wanted) || same((each as Partial<ListItem<unknown>> | null)?.value, wanted)),
};

/** Compiles a where; throws a TypeError for an operator that there is not. */
export function compileWhere<R>(where: Where<R> | undefined): Filter<R> {
  if (where === undefined) return { test: () => true };
  if (typeof where === "function") return { test: where };
  const tests: ((row: R) => boolean)[] = [];
  let lookup: Filter<R>["lookup"];
  for (const [path, condition] of Object.entries(where)) {
    if (condition === undefined) continue;
    const read = reader(path);
    for (const [name, wanted] of Object.entries(isOperators(condition) ? condition : { eq: condition })) {
      const make = Object.hasOwn(operators, name) ? operators[name] : undefined;
      if (!make) throw new TypeError(`where: ${path} has the operator ${name}; there are ${Object.keys(operators).join(", ")}`);
      if (name === "in" && !Array.isArray(wanted)) throw new TypeError(`where: ${path}: "in" wants an array`);
      if (wanted === undefined && name !== "eq" && name !== "ne") continue;
      const test = make(wanted);
      tests.push((row) => test(read(row)));
      if (name === "eq" || name === "in") lookup ??= { path, values: name === "eq" ? [wanted] : (wanted as unknown[]) };
    }
  }
  const [only] = tests;
  const test = tests.length === 1 && only ? only : (row: R) => tests.every((each) => each(row));
  return lookup ? { test, lookup } : { test };
}

function isOperators(condition: unknown): condition is Record<string, unknown> {
  return rank(condition) === 7;
}
