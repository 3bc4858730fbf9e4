export type { Refusal } from "./check.js";
export { defineSchema } from "./schema.js";
export type { JSONSchema, Schema, SchemaSet } from "./schema.js";
