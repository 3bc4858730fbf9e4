import type { Kinds } from "../merge/predict.js";
import type { Rec } from "../merge/record.js";
import type { Op } from "../protocol/index.js";
import type { Key } from "../watch.js";
/** An op that was made, and the record as it was before and after it. */
export interface Step {
    readonly op: Op;
    readonly before: Rec | undefined;
    readonly after: Rec | undefined;
}
/** Splits a mutation into steps; `before` has its records as they were. */
export declare function stepsOf(ops: readonly Op[], before: ReadonlyMap<string, Rec | undefined>, kinds: Kinds | undefined): Step[];
/** What an inverse needs to know. */
export interface Present {
    look(key: Key): Rec | undefined;
    newID(): string;
    readonly kinds: Kinds | undefined;
    /** New names of list elements that were removed and are back: an id is never used twice. */
    readonly renamed: Map<string, string>;
}
/**
 * The ops that take steps back, the last one first, as far as what they made is
 * still there:
 *
 * - a value, or an element's, is put back only if nobody has changed it since;
 * - a counter is moved back by the same amount, whatever others did to it;
 * - an element of a set is taken out or put back as it is there or not;
 * - an element of a list that was inserted is removed unless its value was changed,
 *   a removed one is inserted where it was, a moved one goes back unless it was
 *   moved again;
 * - a record that was made is deleted unless somebody has edited it since, a
 *   deleted one comes back;
 * - a maximum, a minimum and a resolved conflict stay.
 */
export declare function inverse(steps: readonly Step[], present: Present): Op[];
