import { ProtocolError } from "./errors.js";

/**
 * The first byte of everything that is stored or sent: the version of the format
 * in the high four bits, must-understand bits, of which none is defined, in the
 * low four.
 */
export const format = 0x10;

/** Throws a ProtocolError, `upgrade` for a version or a bit that is not known. */
export function checkFormat(data: Uint8Array): void {
  const found = data[0];
  if (found === undefined) throw new ProtocolError("malformed", "there are no bytes");
  if (found !== format) {
    throw new ProtocolError("upgrade", `format ${found >> 4} with the must-understand bits ${found & 15} is not known, only ${format >> 4} with none is`);
  }
}
