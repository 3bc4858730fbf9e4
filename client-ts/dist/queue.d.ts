import type { Core, CoreSpace } from "./core.js";
import type { Origin } from "./engine.js";
import type { Rec } from "./merge/index.js";
import type { DeviceID, Hash, Mutation, RejectCode, Subscribed, Verdicts } from "./protocol/index.js";
import type { Predicted } from "./view.js";
/** A mutation that is predicted in the view. */
export interface Pending extends Predicted {
    /** This run's name for it; 0 if it was made in an earlier one. */
    ref: number;
    device: DeviceID;
    counter: number;
    /** The device's running hash after it. */
    hash: Hash;
    body: Uint8Array;
    /** Grows when the mutation is stored anew; durable says that this generation is on disk, toldLocal that the app knows. */
    generation: number;
    durable: boolean;
    toldLocal: boolean;
    /** Nothing of it took effect: no commit shows it. */
    idle: boolean;
    /** When it was pushed on the present connection. */
    sentAt: number;
}
/**
 * Adds a mutation to a space's queue and predicts it in the view. Its base is set
 * to no more than what the device has seen. Returns the ref by which events name
 * it. `replaces` takes an entry off the list of rejections in the same batch;
 * `origin` names it across tabs, and one that was taken already returns 0. Throws
 * a TideError for what the gateway would call malformed: the user is still there.
 */
export declare function mutate(c: Core, now: number, name: string, m: Mutation, replaces?: number, origin?: Origin): number;
/** A pending mutation with nothing known of it but its body. */
export declare function newPending(body: Uint8Array, mutation: Mutation): Pending;
/** The newest counter that the server has judged, and the running hash there. */
export declare function lastJudged(s: CoreSpace): {
    readonly counter: number;
    readonly hash: Hash;
};
/** The running hash after a counter; undefined if it is too old or was never given. */
export declare function hashAt(s: CoreSpace, counter: number): Hash | undefined;
/** Takes the server's answer to pushes. */
export declare function verdicts(c: Core, f: Verdicts): void;
/**
 * Takes the server's word that the device's mutations up to counter are committed
 * at or before head. Those whose verdict got lost are settled with what is known.
 * More than the server remembers are never sent without an answer: what is older
 * was sent by a copy, which may have confirmed that it was rejected.
 */
export declare function accept(c: Core, s: CoreSpace, counter: number, f: Subscribed, head: number): void;
/** Lets the mutations go that the cursor has reached, in the same batch as the cursor (promise 8). */
export declare function leave(s: CoreSpace): void;
/** Goes on under a new device id, with the queue renumbered from 1. Mutations that are leaving keep their old names. */
export declare function replaceDevice(c: Core, s: CoreSpace, rebase: boolean): void;
/** Gives the queue contiguous counters and hashes, and stores it anew. */
export declare function renumber(s: CoreSpace): void;
/** Takes a mutation that was certainly not committed out of the queue and keeps it for the user. */
export declare function expel(c: Core, s: CoreSpace, p: Pending, code: RejectCode, message: string): void;
/**
 * Gives the queue a base in the state that is confirmed now. An edit that would
 * overwrite something its author has not seen is kept for the user instead: the
 * server could not tell any more. `old` is the confirmed state in which the edits
 * were made, undefined if that was the present one.
 */
export declare function rebaseQueue(c: Core, s: CoreSpace, old: ReadonlyMap<string, Rec> | undefined): void;
/** Says once that a mutation is durable on disk. */
export declare function tellLocal(c: Core, p: Pending): void;
