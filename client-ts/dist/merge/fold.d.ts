import type { Change, FieldChange, FieldState, Value } from "../protocol/index.js";
import type { Key, Rec } from "./record.js";
/**
 * Folds the changes of one commit into records: give it the changes in their
 * order, then take the records. It never consults a schema and decides nothing.
 *
 * A record whose version is already at or beyond the commit, because its image
 * was read later than the cursor, is left as it is, however many of the commit's
 * mutations touch it.
 */
export declare class Fold {
    #private;
    readonly seq: number;
    readonly load: (key: Key) => Rec | undefined;
    /** It asks load once for each record that the commit changes. */
    constructor(seq: number, load: (key: Key) => Rec | undefined);
    apply(c: Change): void;
    /**
     * The records that changed, as they are after the changes so far, in the order
     * of their first change. Deleted ones are among them.
     */
    records(): Iterable<[Key, Rec]>;
}
/**
 * The record after a change of the commit seq; undefined if there is no record
 * yet, and none is made. A change older than the record is skipped. One of the
 * same seq is applied, since several mutations of a commit may change a record:
 * who might fold a commit twice uses Fold.
 */
export declare function apply(r: Rec | undefined, c: Change, seq: number): Rec | undefined;
/** The changes that make these values the elements of a new set or list. */
export declare function elementChanges(field: string, kind: FieldState["kind"], values: readonly Value[]): FieldChange[];
