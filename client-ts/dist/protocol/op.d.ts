import type { Value } from "./value.js";
/** What an op does, in the order of the numbers on the wire, which begin with 1. */
export declare const opKinds: readonly [
/** Makes a record. Rejected `exists` or `deleted` if it is or was there. */
"create", 
/** Gives a field a value; several fields only if they are the members of one x-merge-group. */
"set", 
/** Removes a field; merged as a set to "absent". */
"unset", 
/** Adds a number, which may be negative, to a counter. */
"add", 
/** Raises a max field to a number if that is greater. */
"max", 
/** Lowers a min field to a number if that is smaller. */
"min", 
/** Adds an element to a set. */
"set-add", 
/** Removes an element of a set as far as the author had seen it: an unseen add survives. */
"set-remove", "list-insert", "list-move", "list-set", "list-remove", "delete", 
/** Brings a deleted record back as it was. */
"undelete", 
/** Closes an open conflict, giving its field a value. */
"resolve"];
export type OpKind = (typeof opKinds)[number];
/** The system collection that holds the open conflicts of a space, one record a field. */
export declare const conflictCollection = "_conflicts";
/** A value for a field. */
export interface FieldValue {
    readonly field: string;
    /** Undefined removes the field (in an `OpSet` of a group). */
    readonly value?: Value | undefined;
    /**
     * What the author saw in the field before: the base of a conflict, if there will
     * be one. It decides nothing. Undefined if there was none, or it was longer than
     * `maxWas` bytes.
     */
    readonly was?: Value | undefined;
}
interface Target {
    readonly collection: string;
    readonly id: string;
}
export interface OpCreate extends Target {
    readonly kind: "create";
    readonly fields: readonly FieldValue[];
}
export interface OpSet extends Target {
    readonly kind: "set";
    /** One, or the members of one group: those win or lose as one. */
    readonly fields: readonly FieldValue[];
}
export interface OpUnset extends Target {
    readonly kind: "unset";
    readonly field: string;
    readonly was?: Value | undefined;
}
/** Arithmetic, with a number; or an element of a set. */
export interface OpOperand extends Target {
    readonly kind: "add" | "max" | "min" | "set-add" | "set-remove";
    readonly field: string;
    readonly value: Value;
}
export interface OpListInsert extends Target {
    readonly kind: "list-insert";
    readonly field: string;
    /** The element's id, made by the client, unique in the field. */
    readonly element: string;
    /** See `between` in merge/position.ts. */
    readonly position: string;
    readonly value: Value;
}
export interface OpListMove extends Target {
    readonly kind: "list-move";
    readonly field: string;
    readonly element: string;
    readonly position: string;
}
export interface OpListSet extends Target {
    readonly kind: "list-set";
    readonly field: string;
    readonly element: string;
    readonly value: Value;
    readonly was?: Value | undefined;
}
export interface OpListRemove extends Target {
    readonly kind: "list-remove";
    readonly field: string;
    readonly element: string;
}
/** Delete or undelete the record. */
export interface OpRecord extends Target {
    readonly kind: "delete" | "undelete";
}
/** Its collection is always `conflictCollection`, its id the open conflict's. */
export interface OpResolve extends Target {
    readonly kind: "resolve";
    /** Undefined removes the field. */
    readonly value?: Value | undefined;
}
/** One change to one field or record, as the user made it. */
export type Op = OpCreate | OpSet | OpUnset | OpOperand | OpListInsert | OpListMove | OpListSet | OpListRemove | OpRecord | OpResolve;
/**
 * Demands that nobody else has changed a record, or one field of it, after
 * `version`; 0 demands that it does not exist.
 */
export interface Precondition {
    readonly collection: string;
    readonly id: string;
    /** The field's path; empty for the whole record. */
    readonly field: string;
    readonly version: number;
}
/** A list of ops, sent and answered together. Its id stands outside, in the push that carries it. */
export interface Mutation {
    /** The seq that the author had seen. */
    readonly base: number;
    /** When the user made the edit, by the device's clock, in milliseconds. */
    readonly editTime: number;
    /** Of the schema that the client was built for; 0 for none. */
    readonly schemaVersion: number;
    /** All or nothing: rejected `stale` if any op would lose to a concurrent one. */
    readonly whole: boolean;
    readonly preconditions: readonly Precondition[];
    /** 1 to `maxOps`. */
    readonly ops: readonly Op[];
}
export {};
