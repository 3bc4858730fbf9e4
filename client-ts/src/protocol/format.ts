import type { Reader } from "./reader.js";

/**
 * The first byte of everything that is stored or sent: the version of the format
 * in the high four bits, must-understand bits, of which none is defined, in the
 * low four.
 */
export const format = 0x10;

/** Reads the format byte; `upgrade` for a version or a bit that is not known. */
export function checkFormat(r: Reader, what: string): Reader {
  r.what = what;
  const found = r.data[r.pos++];
  if (found === undefined) r.fail("there are no bytes");
  if (found !== format) r.fail(`the format ${found} is not known, only ${format} is`, "upgrade");
  return r;
}
