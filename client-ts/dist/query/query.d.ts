import type { Watchable } from "../watch.js";
import type { OrderBy } from "./order.js";
import type { Rows } from "./table.js";
import type { Where } from "./where.js";
/** What a query asks for; everything may be left out. */
export interface QueryOptions<R> {
    /** Which rows; all if left out. */
    readonly where?: Where<R> | undefined;
    /** In which order; rows that are equal in it, or all if left out, stand in the order of their ids. */
    readonly orderBy?: OrderBy<R> | undefined;
    /** How many rows at most, the first ones of the order. */
    readonly limit?: number | undefined;
}
/**
 * Rows of a collection that pass a filter, in order, kept up to date. It is the
 * same array until one of its rows changes, comes or goes; a new array has the same
 * objects for the rows that did not change. Nobody needs to close a query.
 */
export type Query<R> = Watchable<readonly R[]>;
/** A row that became another; undefined for none. */
export interface Change<R> {
    readonly id: string;
    readonly before: R | undefined;
    readonly after: R | undefined;
}
/** A query that somebody follows. */
export interface Live<R> {
    /** Takes changes in; says whether the result is another now. */
    apply(changes: readonly Change<R>[]): boolean;
    readonly listeners: ReadonlySet<() => void>;
}
/** Makes a query on a table's rows. Throws a TypeError for options that cannot be. */
export declare function createQuery<R extends {
    readonly id: string;
}>(table: Rows<R>, options: QueryOptions<R>): Query<R>;
