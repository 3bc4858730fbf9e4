import { TideError } from "./error.js";
import type { Mutation, Op, RejectCode, Verdict } from "./protocol/index.js";
import type { Space } from "./space.js";
import type { Tx } from "./tx.js";
import type { Write } from "./write.js";
/** One of the two edits of a conflict. */
export interface Version {
    readonly device: string;
    readonly user: string;
    /** When the edit was made, in milliseconds. */
    readonly time: number;
    /** What it wanted; undefined if it removed the field or deleted the record, or if the value is `long`. */
    readonly value: any;
    /** The value was too long to be told at once: {@link Conflict.load} fetches it. */
    readonly long: boolean;
}
/**
 * A collision of two edits. An open one waits for a person, and everybody who sees
 * the record sees it. A settled one was decided by the field's policy against this
 * device, which is told so; it stays until it is dealt with.
 */
export interface Conflict {
    /** Its name in the space. */
    readonly id: string;
    readonly open: boolean;
    /** The record and the field it is about; an empty field means the record's deletion. */
    readonly collection: string;
    readonly record: string;
    readonly field: string;
    /** The list element it is about; empty if none. */
    readonly element: string;
    /** The rule that decided. */
    readonly policy: string;
    /** What the author who lost had seen before; undefined if nothing or not known. */
    readonly base: any;
    /** This user's side, and the other. Of an open conflict between two others, `theirs` is the one that stands. */
    readonly mine: Version;
    readonly theirs: Version;
    /** Further values that lost in an open conflict. */
    readonly others: readonly Version[];
    /** Returns the value of one of the sides, asking the gateway if it is long. */
    load(side: Version): Promise<any>;
    /** Gives the field this user's value. */
    keepMine(): Write;
    /** Leaves everything as it stands, or gives the field the other's value. */
    keepTheirs(): Write;
    /** Gives the field another value; undefined removes it. */
    resolve(value: unknown): Write;
    /** Takes a settled conflict off the list and changes nothing. Throws a TideError for an open one: those are resolved. */
    dismiss(): void;
}
/** A mutation that the gateway rejected, wholly or in part. */
export interface RejectedMutation {
    readonly space: string;
    /** Its name in the space's list. */
    readonly id: number;
    readonly code: RejectCode;
    /** Fit for a user; it names the field. */
    readonly message: string;
    /** The field it is about; empty if it is not about one. */
    readonly path: string;
    readonly verdict: Verdict;
    readonly mutation: Mutation;
    /** The ops that were rejected; the others took effect. */
    readonly ops: readonly Op[];
    /** Makes the rejected ops anew, as a mutation made now. */
    retry(): Write;
    /** Makes other edits in place of the rejected ones, and takes the entry off the list, both in one. */
    edit(edit: (tx: Tx) => void): Write;
    discard(): void;
}
export declare function gone(): TideError;
/** Makes a function that turns lists of `from` into lists of `to`: the same objects for what did not change. */
export declare function kept<From extends object, To>(read: () => Iterable<From> | undefined, make: (from: From) => To): () => readonly To[] | undefined;
/** Reads a space's conflicts. */
export declare function conflictsOf(space: Space): () => readonly Conflict[] | undefined;
/** Reads a space's rejected mutations. */
export declare function rejectedOf(space: Space): () => readonly RejectedMutation[] | undefined;
