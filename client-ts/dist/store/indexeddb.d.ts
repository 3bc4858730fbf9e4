import type { Store } from "./store.js";
/** Settings of {@link indexedDBStore}; all may be left out. */
export interface IndexedDBOptions {
    /** Instead of the global one. */
    readonly indexedDB?: IDBFactory;
    /**
     * Whether to ask the browser not to evict the origin's data (default true).
     * Firefox asks the user; the others decide by themselves.
     */
    readonly persist?: boolean;
}
/** A store in IndexedDB. */
export interface IndexedDBStore extends Store {
    readonly name: string;
    /** Whether the browser promised not to evict the data; known some time after load. */
    readonly persistent?: boolean;
}
/**
 * Returns a store in the IndexedDB database `tidegate:NAME` of this origin. Use
 * one name for each user of the app, so that people who share a device do not
 * share a queue.
 */
export declare function indexedDBStore(name: string, options?: IndexedDBOptions): IndexedDBStore;
