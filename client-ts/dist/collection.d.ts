import type { Draft } from "./edit.js";
import type { Query, QueryOptions } from "./query/index.js";
import type { Collections, Given, Row } from "./rows.js";
import type { Space } from "./space.js";
import type { Watchable } from "./watch.js";
import type { Write } from "./write.js";
/** A new record's write. */
export interface Created extends Write {
    readonly id: string;
}
/**
 * The records of one kind in a space. Each method that writes makes a mutation of
 * its own; for several at once use {@link Space.mutate}. What cannot be (a value
 * that the schema refuses, say) is thrown as a TideError `invalid`, and nothing of
 * it is kept. While the store is still being loaded, edits wait for it, and such
 * an error rejects `local` instead.
 */
export declare class Collection<S extends Collections, C extends keyof S & string> {
    #private;
    readonly space: Space<S>;
    readonly name: C;
    constructor(space: Space<S>, name: C);
    /** A record as the user should see it: confirmed, with what is pending on top. */
    get(id: string): Row<S[C]> | undefined;
    /** One record, to look at and to be told of; undefined while there is none. */
    record(id: string): Watchable<Row<S[C]> | undefined>;
    /** The records that fit, in order, kept up to date. */
    query(options?: QueryOptions<Row<S[C]>>): Query<Row<S[C]>>;
    /** Makes a record, with a new id unless one is given. */
    create(fields: Given<S[C]>, id?: string): Created;
    /** Edits a record that exists. An update never creates. */
    update(id: string, edit: (draft: Draft<S[C]>) => void): Write;
    /** Deletes a record. */
    delete(id: string): Write;
    /** Brings a deleted record back as it was. */
    undelete(id: string): Write;
}
