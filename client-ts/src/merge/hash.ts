import { compareBytes, encodeRecordState, sha256, toHex } from "../protocol/index.js";
import type { RecordState } from "../protocol/index.js";
import { compareKeys } from "./record.js";

/**
 * Names a whole state, in hexadecimal: two devices that agree bit for bit have the
 * same hash. The records may come in any order. It is SHA-256 over the number of
 * records and the SHA-256 of each record's canonical encoding, in byte order of
 * collection and id.
 */
export function stateHash(states: Iterable<RecordState>): string {
  const all = Array.from(states, (state) => ({ state, sum: sha256(encodeRecordState(state)) }));
  all.sort((a, b) => compareKeys(a.state, b.state) || compareBytes(a.sum, b.sum));
  const count = new Uint8Array(8);
  new DataView(count.buffer).setUint32(4, all.length);
  return toHex(sha256(count, ...all.map((s) => s.sum)));
}
