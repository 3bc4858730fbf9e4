import type { Author, BlobID, Time } from "./ids.js";
import type { Value } from "./value.js";
/** A field's or a collection's rule for concurrent edits. */
export type Policy = "lww" | "first" | "strict" | "ask" | "counter" | "max" | "min" | "set" | "list" | "delete-wins" | "update-wins";
/** One of the two edits of a conflict. */
export interface Side {
    readonly author: Author;
    /** The edit time, clamped by the server. */
    readonly time: Time;
    /**
     * What this side wanted; undefined if it deleted the record or removed the field
     * or element, or if the value stands in `blob`.
     */
    readonly value?: Value | undefined;
    /** Names a value that is to be fetched; `noBlob` for none. */
    readonly blob: BlobID;
}
/** A collision of two edits of one field, or of a delete with an update. */
export interface Conflict {
    /** Of the commit that holds it. */
    readonly seq: number;
    readonly collection: string;
    readonly id: string;
    /** Empty if the conflict is about the record's deletion. */
    readonly field: string;
    /** The list element it is about; empty if none. */
    readonly element: string;
    readonly policy: Policy;
    /** A person is asked: a record in `conflictCollection` holds it until it is resolved. */
    readonly open: boolean;
    /** What the loser's author had seen before, if known. */
    readonly base?: Value | undefined;
    readonly kept: Side;
    readonly lost: Side;
}
