import type { Reader } from "./reader.js";
/**
 * The first byte of everything that is stored or sent: the version of the format
 * in the high four bits, must-understand bits, of which none is defined, in the
 * low four.
 */
export declare const format = 16;
/** Reads the format byte; `upgrade` for a version or a bit that is not known. */
export declare function checkFormat(r: Reader, what: string): Reader;
