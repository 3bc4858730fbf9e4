export type { Value } from "../protocol/index.js";
export type { Counter, ListOf, Max, Min, OneValue, SetOf } from "../rows.js";
export type { Refusal } from "./check.js";
export { defineSchema } from "./schema.js";
export type { JSONSchema, Schema, SchemaSet } from "./schema.js";
