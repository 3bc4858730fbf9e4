import type { Core, CoreSpace } from "./core.js";
import type { DeviceID, Mutation, Verdict } from "./protocol/index.js";
import type { Pending } from "./queue.js";
/** A rejected mutation that waits for the user. */
export interface RejectedEntry {
    /** Grows with each entry: its name, and the list's order. */
    readonly order: number;
    /** The mutation's name when it was rejected; not unique: what the client itself rejects gives its counter to the next. */
    readonly device: DeviceID;
    readonly counter: number;
    readonly verdict: Verdict;
    readonly body: Uint8Array;
    /** What the body holds. */
    readonly mutation: Mutation;
}
/**
 * Keeps the payload of a rejected mutation and returns its entry's name. The
 * server forgets it only once it is confirmed, which happens when the entry is
 * durable; it does not know of what the client itself rejects.
 */
export declare function reject(c: Core, s: CoreSpace, p: Pending, verdict: Verdict, confirm: boolean): number;
/** Tells the server, once everything up to now is durable, that it may forget a rejection. */
export declare function confirmSaved(s: CoreSpace, counter: number): void;
/** Takes a rejected mutation off the list; false if it is not there. */
export declare function discard(c: Core, name: string, order: number): boolean;
