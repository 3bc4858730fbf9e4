import type { Mutation, Op, RejectCode, Verdict } from "./protocol/index.js";
/** A mutation on its way. It need not be kept or waited for. */
export interface Write {
    /**
     * Resolves once the mutation is durable on this device: from then on it survives
     * a killed tab, and leaves the queue only on a verdict. Rejects with a TideError
     * if that cannot be known.
     */
    readonly local: Promise<void>;
    /**
     * Resolves with the verdict once the server has judged the mutation and the
     * judgement is durable there. Rejects with {@link Rejected} if it, or a part of
     * it, was rejected. Another error (the client was closed) says nothing about the
     * mutation: it stays in the queue.
     *
     * A verdict with seq 0 means that the answer was lost with its connection, and
     * the server has since confirmed that the mutation took effect, once.
     */
    readonly durable: Promise<Verdict>;
}
/** A Write whose failures nobody has to listen to: they show in lists and status, too. */
export declare function quiet<W extends Write>(write: W): W;
/** The ops of a mutation that were rejected. */
export declare function rejectedOps(m: Mutation, v: Verdict): readonly Op[];
/** What of a verdict is for the user: of the whole, or of the first op that was rejected. */
export declare function whyRejected(v: Verdict): {
    readonly code: RejectCode;
    readonly message: string;
    readonly path: string;
};
/**
 * The error of a mutation that was rejected, wholly or in part. Its payload is in
 * the list of rejections until it is retried or discarded.
 */
export declare class Rejected extends Error {
    /** The outcomes of the ops, if only some were rejected: the others took effect. */
    readonly verdict: Verdict;
    /** Makes the rejected ops anew, as a mutation made now. Throws a TideError `gone` if that was done, or it was discarded. */
    readonly retry: () => Write;
    /** Takes it off the list for good. */
    readonly discard: () => void;
    readonly name = "Rejected";
    readonly code: RejectCode;
    /** The path of the field it is about; empty if it is not about one. */
    readonly path: string;
    constructor(
    /** The outcomes of the ops, if only some were rejected: the others took effect. */
    verdict: Verdict, 
    /** Makes the rejected ops anew, as a mutation made now. Throws a TideError `gone` if that was done, or it was discarded. */
    retry: () => Write, 
    /** Takes it off the list for good. */
    discard: () => void);
}
