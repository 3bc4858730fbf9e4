/**
 * A position greater than a and less than b. An empty a or b leaves that end open:
 * between("", "") starts a list, between(last, "") appends. An a or b that is not a
 * position counts as empty, and so does a b that is not greater than a. The result
 * grows by one byte for about six elements put one after another into the same
 * gap.
 */
export declare function between(a: string, b: string): string;
/**
 * Whether s is a position: an integer part of the length that its first character
 * announces, then a fraction that does not end in "0", so that there is always room
 * before it.
 */
export declare function isPosition(s: string): boolean;
