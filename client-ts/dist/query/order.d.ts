import type { Path } from "./path.js";
/** "asc": the smallest first. "desc": the greatest first. */
export type Direction = "asc" | "desc";
/** How rows are ordered: by one path after the other. */
export type Order<R> = {
    readonly [P in Path<R>]?: Direction;
};
/** An order, several that apply one after the other, or a function as Array.sort takes it. */
export type OrderBy<R> = Order<R> | readonly Order<R>[] | ((a: R, b: R) => number);
export declare function rank(value: unknown): number;
/**
 * Orders any two values of records: nothing, null, false, true, numbers, strings
 * (by UTF-16 units, not by a language's rules), bytes, arrays, objects. Objects are
 * not told apart.
 */
export declare function compare(a: unknown, b: unknown): number;
/** Makes a total order of rows: those that the given order holds equal stand in the order of their ids. */
export declare function comparator<R extends {
    readonly id: string;
}>(orderBy: OrderBy<R> | undefined): (a: R, b: R) => number;
