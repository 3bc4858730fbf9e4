/** An index of rows by the value at a path. Only values that are compared by identity are told apart. */
export interface Index<R> {
    /** Notes that a row became another; undefined for none. */
    move(before: R | undefined, after: R | undefined): void;
    /** The rows that may have one of the values: all that have, and perhaps others. */
    candidates(values: readonly unknown[]): Iterable<R>;
}
/** Indexes rows by the value at a path. */
export declare function indexBy<R extends {
    readonly id: string;
}>(path: string, rows: Iterable<R>): Index<R>;
