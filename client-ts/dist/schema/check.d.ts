import type { Rec } from "../merge/index.js";
import type { Mutation, Op, RejectCode } from "../protocol/index.js";
import type { Key } from "../watch.js";
import type { Schema } from "./schema.js";
import type { Breach } from "./validate.js";
/** Why an edit does not fit a schema: what the gateway would say. */
export interface Refusal {
    readonly code: RejectCode;
    /** The path of the field that it is about; empty for the record. */
    readonly field: string;
    /** Fit for a user; it names the field. */
    readonly message: string;
}
/**
 * Says why the gateway would reject a mutation, or one op of it; undefined if it
 * would not, as far as a device can tell. `look` gives records as they were before
 * it.
 */
export declare function refusal(schema: Schema, mutation: Mutation, look: (key: Key) => Rec | undefined): Refusal | undefined;
/** Checks an op's names and values against the schema, whatever the record that it is about is. */
export declare function opRefusal(schema: Schema, op: Op): Refusal | undefined;
/** In what ways a record breaks its collection's schema; nothing for one that is not there. */
export declare function recordBreaches(schema: Schema, collection: string, record: Rec | undefined): Breach[];
