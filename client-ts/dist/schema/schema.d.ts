import type { Policy } from "../protocol/index.js";
import type { Rules } from "../tx.js";
/** A JSON Schema: an object of keywords, or true for anything, or false for nothing. */
export type JSONSchema = boolean | {
    readonly [keyword: string]: unknown;
};
/**
 * A schema set as the gateway has it. `tidegate schema types DIR` writes one,
 * with the types of its collections.
 */
export interface SchemaSet {
    /** The set's version (default 1). It travels with each mutation. */
    readonly version?: number;
    /** The schemas by the names of their collections. */
    readonly collections: {
        readonly [collection: string]: JSONSchema;
    };
}
/** A declared field: a leaf of a collection's schema. */
export interface Field {
    readonly path: string;
    readonly policy: Policy;
    /** What each value must satisfy; for a set or a list, what each element must. */
    readonly schema: JSONSchema | undefined;
    /** Without repetition: of x-merge-group, in byte order; empty without a group. */
    members: readonly string[];
}
/** One collection's part of a schema. */
export interface CollectionRules {
    readonly document: JSONSchema;
    /** By path. */
    readonly fields: Map<string, Field>;
    /** By path: the schemas of the objects whose properties are fields of their own; "" is the record's. */
    readonly objects: Map<string, JSONSchema>;
}
/** What a client knows of a schema: which edits fit it. `S` carries the types of the collections. */
export interface Schema<S = any> extends Rules<S> {
    readonly set: SchemaSet;
    /** By name; undefined for a collection that the set does not have. */
    collection(name: string): CollectionRules | undefined;
}
/**
 * Makes a schema of a set, so that edits are checked before they enter the queue:
 * the first "no" comes while the user still looks at the field, offline too. The
 * gateway has the last word: what only it can judge (x-check and x-merge-ask,
 * which are CEL expressions, keywords of JSON Schema that depend on what others
 * evaluated, schemas of older drafts) is let through here.
 *
 * The set is taken to be sound; `tidegate schema check` says whether it is.
 */
export declare function defineSchema<S = any>(set: SchemaSet): Schema<S>;
/** Follows a JSON pointer as it stands in a URL; undefined if there is nothing. */
export declare function lookup(document: unknown, pointer: string): unknown;
