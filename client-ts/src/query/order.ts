import type { Path } from "./path.js";
import { reader } from "./path.js";

/** "asc": the smallest first. "desc": the greatest first. */
export type Direction = "asc" | "desc";

/** How rows are ordered: by one path after the other. */
export type Order<R> = { readonly [P in Path<R>]?: Direction };

/** An order, several that apply one after the other, or a function as Array.sort takes it. */
export type OrderBy<R> = Order<R> | readonly Order<R>[] | ((a: R, b: R) => number);

/** Ranks of types: values of different types are ordered by them. */
const ranks: Record<string, number> = { undefined: 0, boolean: 2, number: 3, string: 4 };

export function rank(value: unknown): number {
  if (value === null) return 1;
  return ranks[typeof value] ?? (value instanceof Uint8Array ? 5 : Array.isArray(value) ? 6 : 7);
}

/**
 * Orders any two values of records: nothing, null, false, true, numbers, strings
 * (by UTF-16 units, not by a language's rules), bytes, arrays, objects. Objects are
 * not told apart.
 */
export function compare(a: unknown, b: unknown): number {
  if (a === b) return 0;
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : 1; // most are, and a sort asks often
  const order = rank(a) - rank(b);
  if (order !== 0) return order;
  if (typeof a !== "object" || a === null) return (a as string) < (b as string) ? -1 : (a as string) > (b as string) ? 1 : 0;
  if (order === 0 && rank(a) < 7) {
    const [x, y] = [a as ArrayLike<unknown>, b as ArrayLike<unknown>];
    const length = Math.min(x.length, y.length);
    for (let i = 0; i < length; i++) {
      const each = compare(x[i], y[i]);
      if (each !== 0) return each;
    }
    return x.length - y.length;
  }
  return 0;
}

/** Makes a total order of rows: those that the given order holds equal stand in the order of their ids. */
export function comparator<R extends { readonly id: string }>(orderBy: OrderBy<R> | undefined): (a: R, b: R) => number {
  const steps: ((a: R, b: R) => number)[] = [];
  if (typeof orderBy === "function") steps.push(orderBy);
  else {
    for (const order of orderBy === undefined ? [] : [orderBy].flat()) {
      for (const [path, direction] of Object.entries(order as Record<string, Direction | undefined>)) {
        const read = reader(path);
        if (direction === "asc") steps.push((a, b) => compare(read(a), read(b)));
        else if (direction === "desc") steps.push((a, b) => compare(read(b), read(a)));
        else if (direction !== undefined) throw new TypeError(`orderBy: ${path} is ordered "asc" or "desc", not ${String(direction)}`);
      }
    }
  }
  return (a, b) => {
    for (const step of steps) {
      const order = step(a, b);
      if (order !== 0 && order === order) return order;
    }
    return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
  };
}
