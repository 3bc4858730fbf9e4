import type { RecordState } from "../protocol/index.js";
/**
 * Names a whole state, in hexadecimal: two devices that agree bit for bit have the
 * same hash. The records may come in any order. It is SHA-256 over the number of
 * records and the SHA-256 of each record's canonical encoding, in byte order of
 * collection and id.
 */
export declare function stateHash(states: Iterable<RecordState>): string;
