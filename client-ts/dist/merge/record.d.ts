import type { ElementState, FieldState, RecordState, Value } from "../protocol/index.js";
/** Names a record in its space. */
export interface Key {
    readonly collection: string;
    readonly id: string;
}
/**
 * The image of one record, as far as a client needs it: what everybody sees. Who
 * changed it, and when, is the gateway's business. It is immutable; what changes
 * gives a new one, which shares what did not change.
 */
export interface Rec extends RecordState {
    /** The record was deleted: nobody sees anything of it, but an undelete brings its fields back. */
    readonly deleted?: boolean;
}
/** Orders keys by collection, then id, both as bytes. */
export declare function compareKeys(a: Key, b: Key): number;
/** Orders elements as their field does: a list's by position, then id, a set's by their values. */
export declare function compareElements(a: ElementState, b: ElementState): number;
/** Whether the record exists and is not deleted. */
export declare function alive(r: Rec | undefined): r is Rec;
/** The field at a path; undefined if the record has no such, or is deleted. */
export declare function fieldOf(r: Rec | undefined, path: string): FieldState | undefined;
/** The content of a field as one value, the array of its elements for a set or a list; undefined if it has none. */
export declare function contentOf(f: FieldState | undefined): Value | undefined;
/** What everybody sees in a field of a record; see contentOf. */
export declare function valueOf(r: Rec | undefined, path: string): Value | undefined;
/** Whether the fields of two records hold the same values, whatever their versions and positions. */
export declare function sameContent(a: Rec | undefined, b: Rec | undefined): boolean;
/** Whether two records look the same to everybody, version and positions included. */
export declare function sameState(a: Rec | undefined, b: Rec | undefined): boolean;
/** A set or a list without elements is absent, as a removed field is. */
export declare function isVisible(f: FieldState): boolean;
/**
 * The record that a snapshot gives. What a gateway sends is in order, and then it
 * is the state itself; what is not is put in order, and what is there twice goes.
 */
export declare function recordFromState(state: RecordState): Rec;
