import type { Value } from "../protocol/index.js";
import type { JSONSchema, SchemaSet } from "./schema.js";
/** One way in which a value or a record breaks the schema. */
export interface Breach {
    /** The path of what is wrong. */
    readonly field: string;
    /** Fit for a user; it names the field. */
    readonly message: string;
    /** Names the rule that is broken, whatever the value: a breach that was there before is told from a new one. */
    readonly rule: string;
}
/** Where a schema stands: references are relative to its document. */
export interface Place {
    readonly set: SchemaSet;
    readonly document: JSONSchema;
}
/**
 * Returns in what ways a value breaks a schema, in a fixed order; nothing if it
 * fits, or if only the gateway can tell. Bytes are a string in base64, as in JSON.
 */
export declare function breaches(place: Place, schema: JSONSchema | undefined, value: Value, path: string): Breach[];
