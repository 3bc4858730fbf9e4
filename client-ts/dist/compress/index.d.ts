/** What a core's config takes. */
export interface Unpacking {
    readonly compression: readonly string[];
    readonly decompress: (dictionary: number, data: Uint8Array) => Uint8Array;
}
/** Loads what can unpack; undefined if it cannot be had, and plain frames must do. */
export declare function loadUnpacking(): Promise<Unpacking | undefined>;
