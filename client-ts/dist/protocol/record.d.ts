import type { Value } from "./value.js";
/** How the content of a field is laid out, in the order of the numbers on the wire. */
export declare const fieldKinds: readonly [
/** One value. */
"plain", 
/** The elements of a set, in the order of their encodings. */
"set", 
/** The elements of a list, in its order: by position, then element. */
"list"];
export type FieldKind = (typeof fieldKinds)[number];
/** One element of a set (its value alone; the rest is empty) or of a list. */
export interface ElementState {
    readonly element: string;
    readonly position: string;
    readonly value: Value;
}
/** What one field holds. Fields without content are not there. */
export interface FieldState {
    readonly field: string;
    readonly kind: FieldKind;
    /** Of a plain field; undefined for a set or a list. */
    readonly value: Value | undefined;
    /** Of a set or a list; empty for a plain field. */
    readonly elements: readonly ElementState[];
}
/**
 * What everybody who may see a record sees of it. It is immutable, and as long
 * as nothing of it changes it is the same object.
 */
export interface RecordState {
    readonly collection: string;
    readonly id: string;
    /** The seq of the last commit that changed the record; 0 if it is only predicted. */
    readonly version: number;
    /** In byte order of their paths. */
    readonly fields: readonly FieldState[];
}
