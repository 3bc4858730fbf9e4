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
