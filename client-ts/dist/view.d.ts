import type { Kinds, Rec } from "./merge/index.js";
import type { Mutation, Op, RecordState } from "./protocol/index.js";
import type { RowState } from "./rows.js";
import type { Key } from "./watch.js";
/** A mutation that is predicted in the view. */
export interface Predicted {
    mutation: Mutation;
    /** The server has judged it; it leaves when the cursor has reached leaveAt. */
    judged: boolean;
    leaveAt: number;
    /** True if leaveAt is the seq of the mutation's own commit, not just a bound. */
    exact: boolean;
    /** Pushed on the present connection. */
    sent: boolean;
    /** Set by predict. */
    effects?: readonly Effect[];
}
/** What a pending op does to one record. */
interface Effect {
    readonly text: string;
    readonly key: Key;
    readonly op: Op;
}
export declare class View {
    #private;
    readonly changed: (key: string) => void;
    /** How the arrays of a new record will be laid out, where the schema is known. */
    readonly kinds?: Kinds | undefined;
    /** Confirmed records, living ones only, by collection and id. Change them by {@link set}. */
    readonly records: Map<string, Map<string, Rec>>;
    /** `changed` is told the text of each key that looks different, or may. */
    constructor(changed: (key: string) => void, 
    /** How the arrays of a new record will be laid out, where the schema is known. */
    kinds?: Kinds | undefined);
    /** The confirmed record, undefined if there is none. */
    confirmed(key: Key): Rec | undefined;
    /** Puts a confirmed record in place; undefined, or a dead one, removes it. `text` is the key's, if it is known. */
    set(key: Key, record: Rec | undefined, text?: string): void;
    /** `set` while nobody has looked yet. */
    load(key: Key, record: Rec | undefined): void;
    /** The record with its pending mutations; undefined or dead if there is none. */
    look(key: Key): Rec | undefined;
    /** What the user sees of a record; undefined if there is none. */
    get(key: Key): RecordState | undefined;
    /** The pending mutations of a record, oldest first. */
    pending(key: Key): readonly Predicted[];
    /** How far the edits that are shown in a record are. */
    state(key: Key): RowState;
    /** The ids of a collection's records, and of some that are not (any more). */
    ids(collection: string): Iterable<string>;
    /** Adds a mutation to the view, as the newest. */
    predict(p: Predicted): void;
    /** Takes a mutation out of the view. */
    unpredict(p: Predicted): void;
    /** Notes that the records of a mutation look different: `refresh` for all of them, or their marks alone. */
    refreshAll(p: Predicted, marksOnly?: boolean): void;
    /**
     * Notes that a record looks different. The prediction is made anew when somebody
     * looks: a long queue on one record is not replayed for each commit.
     */
    refresh(text: string): void;
    /** The texts of all keys that have pending mutations. */
    touched(): Iterable<string>;
    /** All keys of confirmed records, in no order. */
    keys(): Iterable<Key>;
}
export {};
