import type { Value } from "./value.js";
/** What happened to a record, in the order of the numbers on the wire. */
export declare const changeKinds: readonly [
/** Fields of a living record changed. */
"fields", 
/** The record is new; `fields` is all of it. */
"create", "delete", 
/** The record is back; `fields` is all of it. */
"undelete"];
export type ChangeKind = (typeof changeKinds)[number];
/**
 * How a field changed, in the order of the numbers on the wire: effects after
 * merging, which need no decision and no schema.
 */
export declare const fieldChangeKinds: readonly ["put", "unset", "set-added", "set-removed", 
/** The element stays, thanks to an add that the author of a removal had not seen. Clients do nothing. */
"set-kept", "list-put", "list-moved", "list-set", "list-removed"];
export type FieldChangeKind = (typeof fieldChangeKinds)[number];
/** The effect of a mutation on one field. What the kind does not use is undefined or empty. */
export interface FieldChange {
    readonly field: string;
    readonly kind: FieldChangeKind;
    readonly value: Value | undefined;
    readonly element: string;
    readonly position: string;
}
/** The effect of a mutation on one record. */
export interface Change {
    readonly collection: string;
    readonly id: string;
    readonly kind: ChangeKind;
    readonly fields: readonly FieldChange[];
}
