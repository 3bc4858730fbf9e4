import type { Core, CoreSpace } from "./core.js";
import type { Conflict, Cursor, DeviceID } from "./protocol/index.js";
import type { Pending } from "./queue.js";
import type { RejectedEntry } from "./rejected.js";
import type { Batch, Entry } from "./store/store.js";
/** The batch in flight, and what will be durable with it. */
export interface Written {
    readonly token: number;
    readonly pending: readonly StoredPending[];
    readonly spaces: readonly SpaceMark[];
}
/** A mutation in the generation in which it was stored. */
export interface StoredPending {
    readonly p: Pending;
    readonly generation: number;
}
/** What of a space a batch makes durable. */
interface SpaceMark {
    readonly space: CoreSpace;
    readonly epoch: number;
    readonly device: DeviceID;
    readonly cursor: Cursor;
    readonly sent: number;
    /** The rejections whose payload is in this batch or an earlier one. */
    readonly confirm: readonly number[];
}
export declare function savePending(s: CoreSpace, p: Pending): void;
export declare function dropPending(s: CoreSpace, p: Pending): void;
export declare function saveRejected(s: CoreSpace, e: RejectedEntry): void;
export declare function dropRejected(s: CoreSpace, e: RejectedEntry): void;
export declare function saveConflict(s: CoreSpace, c: Conflict): void;
export declare function dropConflict(s: CoreSpace, c: Conflict): void;
/**
 * Takes everything that is unsaved into one batch, unless one is in flight. It is
 * called between inputs only, so a batch always holds whole messages and whole
 * mutations, and the store is always in a state that the client was in.
 */
export declare function cut(c: Core): Batch | undefined;
/** The batch with the token is durable. What waited for it is in the next Ready. */
export declare function persisted(c: Core, now: number, token: number): void;
/** Everything that the store has to have, as entries: what a new store would need to go on from here. */
export declare function allEntries(c: Core): Entry[];
export {};
