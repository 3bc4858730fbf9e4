import type { Counter, ListItem, ListOf, Max, Min, OneValue, SetOf } from "./rows.js";
import type { Making } from "./tx.js";
import type { Key } from "./watch.js";
/** A counter in a draft. */
export interface CounterDraft {
    /** The number with the edits so far. */
    readonly value: number;
    /** Adds a number, which may be negative: 1 if left out. */
    add(number?: number): void;
}
/** A max or min field in a draft. */
export interface BoundDraft {
    readonly value: number | undefined;
    /** Raises a max field, or lowers a min field, to the number if it is beyond the present one. */
    to(number: number): void;
}
/** A set in a draft. Assigning an array adds and removes what differs. */
export interface SetDraft<E> extends Iterable<E> {
    readonly size: number;
    has(element: E): boolean;
    add(element: E): void;
    /** Removes an element. An add by somebody else that this device has not seen survives. */
    remove(element: E): void;
}
/** A list in a draft. Elements are named by their ids. */
export interface ListDraft<E> extends Iterable<ListItem<E>> {
    readonly length: number;
    /** Inserts a value so that it stands at index, and returns its element's id. An index past the end appends. */
    insert(index: number, value: E): string;
    /** Appends a value and returns its element's id. */
    push(value: E): string;
    /** Moves an element so that it stands at index, counted without it. */
    move(element: string, index: number): void;
    /** Gives an element a new value. */
    set(element: string, value: E): void;
    remove(element: string): void;
}
type IsAny<F> = 0 extends 1 & F ? true : false;
type Atom = null | boolean | number | string | Uint8Array | readonly unknown[] | undefined;
/** A field in a draft: assigned, or edited through its methods. */
export type Drafted<F> = IsAny<F> extends true ? any : F extends Counter ? CounterDraft : F extends Max | Min ? BoundDraft : F extends SetOf<infer E> ? SetDraft<E> : F extends ListOf<infer E> ? ListDraft<E> : F extends OneValue<infer T> ? T : F extends Atom ? F : Draft<F>;
/** The fields that a draft always has, be there something in them or not: those with methods, and objects of fields. */
type Always<F> = {
    [K in keyof F]-?: IsAny<F[K]> extends true ? never : NonNullable<F[K]> extends Atom | OneValue<unknown> ? never : K;
}[keyof F];
/**
 * A record to edit. An assignment sets a field, `delete` removes it; a field that
 * is assigned what it holds is left alone. Counters, sets and lists have methods.
 * Values themselves are read only: assign a new array or object.
 */
export type Draft<F> = IsAny<F> extends true ? any : {
    -readonly [K in keyof F as K extends Always<F> ? never : K]: Drafted<F[K]>;
} & {
    readonly [K in Always<F>]-?: Drafted<NonNullable<F[K]>>;
};
/** Runs the app's edit on a draft of a record, and adds the ops it makes to the mutation. */
export declare function editRecord(tx: Making, key: Key, edit: (draft: any) => void): void;
export {};
