import type { Core, CoreSpace } from "./core.js";
import type { Rec } from "./merge/index.js";
import type { Conflict } from "./protocol/index.js";
import type { Pending } from "./queue.js";
import type { RejectedEntry } from "./rejected.js";
import type { Entry } from "./store/store.js";
import type { Key } from "./watch.js";
/** The bytes of a key. */
export declare function keyBytes(key: string): Uint8Array;
export declare const clientKey = "d";
export declare const spaceKey: (s: CoreSpace) => string;
export declare const namesKey: (s: CoreSpace) => string;
export declare const pendingKey: (s: CoreSpace, p: Pending) => string;
export declare const rejectedKey: (s: CoreSpace, e: RejectedEntry) => string;
export declare const tabKey: (tab: string) => string;
/** Makes the keys of a space's records. */
export declare function recordKeys(s: CoreSpace): (key: Key) => string;
export declare function conflictKey(s: CoreSpace, c: Conflict): string;
export declare function encodeClient(c: Core): Uint8Array;
export declare function encodeSpace(s: CoreSpace): Uint8Array;
export declare function encodeNames(s: CoreSpace): Uint8Array;
export declare function encodeRecord(r: Rec): Uint8Array;
export declare function encodePending(p: Pending): Uint8Array;
export declare function encodeRejected(e: RejectedEntry): Uint8Array;
export declare function encodeConflict(c: Conflict): Uint8Array;
export declare function encodeTab(tab: {
    readonly counter: number;
    readonly at: number;
}): Uint8Array;
export declare function sameBytes(a: Uint8Array, b: Uint8Array): boolean;
/** Entries in one piece: the format byte, then each key and value with its length in four bytes before it. */
export declare function exportEntries(entries: readonly Entry[]): Uint8Array;
/** Takes an entry of the store into a core. */
export declare function loadEntry(c: Core, { key, value }: Entry): void;
/** Makes the caches of a space whose entries are all loaded. */
export declare function restore(s: CoreSpace): void;
/** The name table as the store would have it, and as text that compares. */
export declare function savedNames(s: CoreSpace): {
    readonly value: Uint8Array;
    readonly text: string;
};
