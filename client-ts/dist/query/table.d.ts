import type { Live, Query, QueryOptions } from "./query.js";
import type { Filter } from "./where.js";
/** Where a table's rows come from: a collection of a space's view. */
export interface Source<R> {
    /** The ids of the rows, in any order. */
    ids(): Iterable<string>;
    /** The row as it is now, undefined if there is none. Rows are never changed. */
    row(id: string): R | undefined;
    /** False while the rows are still being loaded: there are none yet, and nobody is told so. */
    ready?(): boolean;
}
/**
 * The rows of one collection, and the queries on them. A row stays the same
 * object as long as nothing in it changes, whatever happens below (a prediction
 * that is confirmed, a snapshot that brings what was there).
 */
export interface Table<R extends {
    readonly id: string;
}> {
    /** The row of that id, undefined if there is none. */
    get(id: string): R | undefined;
    /** Calls the listener after each change of the row of that id; returns how to stop it. */
    watch(id: string, listener: () => void): () => void;
    /** Makes a query. It costs nothing until it is read. */
    query(options?: QueryOptions<R>): Query<R>;
    /** Says which rows may have changed; all of them if left out. */
    changed(ids?: Iterable<string>): void;
}
/** What queries need of their table. */
export interface Rows<R> {
    readonly source: Source<R>;
    /** Counts changes of the rows. Reading it brings the rows up to date. */
    version(): number;
    /** All rows that pass the filter, in any order. */
    select(filter: Filter<R>): R[];
    /** Has the query told of changes until the returned function is called. */
    attach(query: Live<R>): () => void;
}
/** Makes a table. Nothing is read before somebody asks. */
export declare function createTable<R extends {
    readonly id: string;
}>(source: Source<R>): Table<R>;
