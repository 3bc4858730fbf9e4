/** How many times larger than the data its content may be. */
export declare const maxRatio = 256;
/**
 * What data, which must be one zstd frame that declares its size, unpacks to: at
 * most `limit` bytes and `maxRatio` times the data. It throws a RangeError for
 * anything else, before anything of that size is made.
 */
export declare function unzstd(data: Uint8Array, limit: number): Uint8Array;
