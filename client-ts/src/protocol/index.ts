// The shared vocabulary: what travels between a device and a gateway, and what
// is stored. SPEC.md of the Go package protocol describes it byte by byte.
export * from "./limits.js";
export * from "./errors.js";
export * from "./ids.js";
export * from "./value.js";
export * from "./op.js";
export * from "./verdict.js";
export * from "./change.js";
export * from "./conflict.js";
export * from "./record.js";
export * from "./frame.js";
export { format } from "./format.js";
export { canonicalValue, compareBytes, compareValues, encodeValue, sameValue, valueSize } from "./canonical.js";
export { decodeValue } from "./value_read.js";
export { blobOf, nextHash } from "./hashes.js";
export { checkName, checkSpaceName } from "./names.js";
export { NameTable } from "./name_table.js";
export type { NameKind } from "./names.js";
export { compareText, decodeText, textSize, writeText } from "./text.js";
export { decodeMutation, encodeMutation } from "./mutation.js";
export { decodeDelivery, decodeMessage, encodeMessage } from "./message.js";
export type { Decoding, Writable } from "./message.js";
export { decodeRecordState, encodeRecordState } from "./record_codec.js";
export { sha256 } from "./sha256.js";
