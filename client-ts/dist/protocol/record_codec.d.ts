import { Reader } from "./reader.js";
import type { FieldState, RecordState } from "./record.js";
import { Writer } from "./writer.js";
export declare function writeFields(w: Writer, fields: readonly FieldState[]): void;
export declare function readFields(r: Reader): readonly FieldState[];
/**
 * A record's state in its canonical form, which all devices agree on bit for bit:
 * the format byte and [collection, id, version, fields], names literal.
 */
export declare function encodeRecordState(s: RecordState): Uint8Array;
/** Reads what encodeRecordState wrote, and nothing behind it. */
export declare function decodeRecordState(data: Uint8Array): RecordState;
