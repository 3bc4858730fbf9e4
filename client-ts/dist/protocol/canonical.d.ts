import type { Value } from "./value.js";
/** The one encoding of a value. It throws a ProtocolError for what is none, with its refusal and the place. */
export declare function encodeValue(v: unknown): Uint8Array;
/**
 * A value of the app's own, copied: the app may change what it gave. It throws a
 * ProtocolError, with its refusal and the place, for what is no value.
 */
export declare function canonicalValue(v: unknown): Value;
/** The length of a value's encoding in bytes. */
export declare function valueSize(v: Value): number;
/** Orders values by the bytes of their encodings, which has nothing to do with the order of numbers. */
export declare function compareValues(a: Value, b: Value): number;
/** Orders bytes as such. */
export declare function compareBytes(a: Uint8Array, b: Uint8Array): number;
/** Whether two values, either of which may be absent, are the same. */
export declare function sameValue(a: Value | undefined, b: Value | undefined): boolean;
