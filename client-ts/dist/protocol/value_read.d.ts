import type { Value } from "./value.js";
/** Reads one value, in whatever encoding, that fills data. The value does not refer to data. */
export declare function decodeValue(data: Uint8Array): Value;
