import { Reader } from "./reader.js";
import type { Value } from "./value.js";

/** Reads one value, in whatever encoding, that fills data. The value does not refer to data. */
export function decodeValue(data: Uint8Array): Value {
  const r = new Reader(data);
  r.what = "value";
  const v = r.value();
  r.end();
  return v;
}
