/**
 * What became of a mutation or of one op, in the order of the numbers on the
 * wire. A mutation's outcome is the greatest of its ops'.
 */
export declare const outcomes: readonly [
/** It took effect and nothing concurrent stood in the way. */
"applied", 
/** It took effect together with, or over, a concurrent change. */
"merged", 
/** A concurrent change stays in its place; its value is kept in a settled conflict. */
"superseded", 
/** The committed value stays and a person is asked. */
"conflict", 
/** It had no effect; code and message say why. */
"rejected"];
export type Outcome = (typeof outcomes)[number];
/**
 * Why an op or a mutation was rejected. `unknown-outcome` is given by a client
 * alone: whether the mutation took effect cannot be known any more.
 */
export type RejectCode = "stale" | "missing" | "exists" | "deleted" | "policy" | "group" | "schema" | "invalid" | "precondition" | "too-large" | "malformed" | "name" | "forbidden" | "unknown-outcome";
/** What became of one op. Code, message and field are empty unless it was rejected. */
export interface OpVerdict {
    readonly outcome: Outcome;
    readonly code: RejectCode | "";
    /** Fit for a user; it names the field. */
    readonly message: string;
    readonly field: string;
}
/** What became of a mutation. Code, message and field are those of a rejection as a whole. */
export interface Verdict extends OpVerdict {
    readonly counter: number;
    /** Of the commit that holds the mutation. */
    readonly seq: number;
    /** Empty if every op has the mutation's outcome and none was rejected, else one entry an op. */
    readonly ops: readonly OpVerdict[];
}
