import type { Entry, Store } from "./store.js";
/** A store in memory, for tests, servers and private windows. */
export interface MemoryStore extends Store {
    /** What the store holds, in order. */
    entries(): Entry[];
}
/**
 * Returns a store that lives as long as the object does: nothing survives a reload.
 * A closed one can be loaded again, by the same client or by another.
 */
export declare function memoryStore(initial?: readonly Entry[]): MemoryStore;
