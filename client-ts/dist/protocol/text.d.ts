/** The string that the bytes are; undefined if they are not valid UTF-8. */
export declare function decodeText(data: Uint8Array, from: number, to: number): string | undefined;
/** The string of these UTF-16 code units; in parts, since calls take only so many arguments. */
export declare function fromUnits(units: number[] | Uint8Array): string;
/** How many bytes of UTF-8 the string has; −1 if half of a surrogate pair stands in it. */
export declare function textSize(text: string): number;
/** Writes the UTF-8 of a string without half pairs at `at`. */
export declare function writeText(text: string, into: Uint8Array, at: number): void;
/**
 * Compares strings as their UTF-8 bytes compare, which is how everything here is
 * ordered. It differs from `<` in that what lies beyond the first plane comes
 * last.
 */
export declare function compareText(a: string, b: string): number;
