import type { Entry } from "./store.js";
/** Orders keys by their bytes. */
export declare function compareBytes(a: Uint8Array, b: Uint8Array): number;
/** What becomes of a key: its entry, or undefined if that is removed. */
export interface Change {
    readonly key: Uint8Array;
    readonly entry: Entry | undefined;
}
/** Entries with changes on top; both, and the result, in the order of their keys. */
export declare function overlay(entries: readonly Entry[], changes: readonly Change[]): Entry[];
/** A pack of the first of these entries from the one at `from` on, and where the next begins. */
export declare function pack(entries: readonly Entry[], from: number): {
    readonly data: Uint8Array<ArrayBuffer>;
    readonly next: number;
};
/** Appends the entries of a pack to a list, as views into it. */
export declare function unpack(data: Uint8Array, into: Entry[]): void;
