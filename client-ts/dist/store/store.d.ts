/** A key and its value. Keys are ordered by their bytes. */
export interface Entry {
    readonly key: Uint8Array;
    readonly value: Uint8Array;
}
/** What a client wants to remember, as one atomic write. */
export interface Batch {
    /** Handed back to the core once the batch is durable; stores ignore it. */
    readonly token: number;
    /** Puts and deletes name each key once, and none in common. */
    readonly puts: readonly Entry[];
    readonly deletes: readonly Uint8Array[];
}
/**
 * Keeps what a client must not forget. One client owns a store at a time, and
 * awaits each call before the next. All errors are {@link StoreError}s.
 */
export interface Store {
    /**
     * Opens the store, takes it over from whoever owned it before, and returns all
     * entries in the order of their keys. Called once, first.
     */
    load(): Promise<Entry[]>;
    /**
     * Makes a batch durable, all of it or nothing. Resolves only once the batch
     * survives a killed process. After a rejection the store holds its state before
     * the batch, or after it.
     */
    write(batch: Batch): Promise<void>;
    /** Forgets all entries, durably: for signing out. */
    clear(): Promise<void>;
    /** Releases the store. Idempotent. What was written stays. */
    close(): Promise<void>;
    /**
     * Set by load: the device had a store of this name before, and what was in it
     * has been taken away (the browser evicted it, or somebody cleared it). The
     * client goes on as a new device; edits that were not sent are lost, and the
     * app should say so.
     */
    readonly evicted?: boolean;
    /** Where tabs that share the store find one another; absent if none can. */
    readonly name?: string;
}
/**
 * Why a store failed.
 *
 * | code | what happened | what helps |
 * |---|---|---|
 * | `quota` | the disk or the origin's share of it is full; nothing of the batch was written | free space, then start the client again |
 * | `blocked` | another tab keeps an older version of the database open | close the other tabs |
 * | `version` | newer code wrote the store; nothing in it was changed | reload the page to get the newer code |
 * | `corrupt` | the store cannot be read | export what can be, clear the store |
 * | `gone` | the database vanished while it was open | start the client again, as a new device |
 * | `in-use` | another client has taken the store over | close one of the two |
 * | `unavailable` | there is no such storage here (private mode, no IndexedDB) | use memoryStore and tell the user |
 */
export type StoreErrorCode = "quota" | "blocked" | "version" | "corrupt" | "gone" | "in-use" | "unavailable";
/** An error of a store. The `cause` is the platform's own. */
export declare class StoreError extends Error {
    readonly code: StoreErrorCode;
    readonly name = "StoreError";
    constructor(code: StoreErrorCode, message: string, cause?: unknown);
}
