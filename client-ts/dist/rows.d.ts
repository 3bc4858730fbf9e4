import type { FieldState, RecordState } from "./protocol/index.js";
declare const kind: unique symbol;
/** In a schema's type: a number that everybody adds to. */
export interface Counter {
    readonly [kind]: "counter";
}
/** In a schema's type: a number that only grows, or only shrinks. */
export interface Max {
    readonly [kind]: "max";
}
export interface Min {
    readonly [kind]: "min";
}
/** In a schema's type: a set, merged element by element. */
export interface SetOf<T> {
    readonly [kind]: ["set", T];
}
/** In a schema's type: a list whose elements can be inserted, moved and removed by several people at once. */
export interface ListOf<T> {
    readonly [kind]: ["list", T];
}
/** In a schema's type: an object, or what holds objects, that is one value: it is assigned, not edited within. */
export interface OneValue<T> {
    readonly [kind]: ["value", T];
}
/** An element of a list. The id stays when it moves or changes. */
export interface ListItem<T> {
    readonly id: string;
    readonly value: T;
}
type IsAny<F> = 0 extends 1 & F ? true : false;
type Atom = null | boolean | number | string | Uint8Array | readonly unknown[] | undefined;
/** A field as it is shown in a row. */
export type Shown<F> = IsAny<F> extends true ? any : F extends Counter | Max | Min ? number : F extends SetOf<infer E> ? readonly E[] : F extends ListOf<infer E> ? readonly ListItem<E>[] : F extends OneValue<infer T> ? T : F extends Atom ? F : {
    readonly [K in keyof F]: Shown<F[K]>;
};
/** A field as it is given to a new record. */
export type Given<F> = IsAny<F> extends true ? any : F extends Counter | Max | Min ? number : F extends SetOf<infer E> | ListOf<infer E> ? readonly E[] : F extends OneValue<infer T> ? T : F extends Atom ? F : {
    readonly [K in keyof F]: Given<F[K]>;
};
/** How far a row's edits are: `local` on this device, `sent` on the present connection, `durable` on the server. */
export type RowState = "local" | "sent" | "durable";
/**
 * What a row says about itself. The names begin with "_", which no field's does.
 */
export interface Marks {
    /** The record's id. It hides a field of that name. */
    readonly id: string;
    /** Whether edits of this device without a verdict are shown in the row. */
    readonly _pending: boolean;
    /** How far the least of these is. */
    readonly _state: RowState;
    /** Whether a conflict about the row waits for a person: an open one, or a settled one that was not dismissed. */
    readonly _conflict: boolean;
    /** The seq of the commit that changed the record last; 0 if it is only predicted yet. */
    readonly _version: number;
}
/**
 * A record at one moment: its fields and its marks. A row does not change; the
 * same object comes again until something in it differs.
 */
export type Row<F> = IsAny<F> extends true ? Marks & {
    readonly [field: string]: any;
} : {
    readonly [K in keyof F]: Shown<F[K]>;
} & Marks;
/** The collections of a space by their names, and the fields of their records. */
export type Collections = {
    [collection: string]: any;
};
/** A field of a list or set policy holds these values as the app sees them. */
export declare function shownField(field: FieldState, asList: boolean): unknown;
/** Puts a value at a path of an object, making the objects between. */
export declare function put(target: Record<string, unknown>, path: string, value: unknown): void;
/** Whether it is an object with fields, not an array, bytes, or of a class. */
export declare function isObject(value: unknown): value is Record<string, unknown>;
/** Makes the row of a record. */
export declare function rowOf(state: RecordState, marks: Omit<Marks, "id" | "_version">, isList: (path: string) => boolean): Row<any>;
/** Whether two values look the same. */
export declare function same(a: unknown, b: unknown): boolean;
export {};
