/**
 * A value of a field: null, a boolean, a finite number within ±2^53, a string of
 * well-formed UTF-16, bytes, an array or a map. A value that came out of this
 * library is never changed, and must not be. Undefined stands for "absent" and is
 * not a value.
 */
export type Value = null | boolean | number | string | Uint8Array | readonly Value[] | {
    readonly [key: string]: Value;
};
