import type { Draft } from "./edit.js";
import type { Kinds, Rec } from "./merge/index.js";
import type { Mutation, Op, Policy, Precondition, Value } from "./protocol/index.js";
import type { Collections, Given, Row } from "./rows.js";
import type { Key } from "./watch.js";
/** What the client knows of a schema; see the package's schema functions. `S` carries the types. */
export interface Rules<S = any> {
    /** Type only. */
    readonly collections?: S;
    readonly version: number;
    /** The policy of a field; undefined if it is not declared. */
    policy(collection: string, path: string): Policy | undefined;
    /** Whether the properties of the object at the path are fields of their own. */
    isObject(collection: string, path: string): boolean;
    /** The members of the field's x-merge-group in byte order; empty if it has none. */
    group(collection: string, path: string): readonly string[];
    /** Throws a TideError `invalid` for a mutation that the schema refuses. `look` gives records as they are before it. */
    check(mutation: Mutation, look: (key: Key) => Rec | undefined): void;
}
/** Where a mutation is made. */
export interface Desk {
    readonly rules: Rules | undefined;
    readonly base: number;
    now(): number;
    newID(): string;
    look(key: Key): Rec | undefined;
    /** How arrays of a new record will be laid out. */
    readonly kinds: Kinds | undefined;
    /** The row of a record as it would be. */
    row(record: Rec | undefined): Row<any> | undefined;
}
/**
 * Makes one mutation of several edits, which travel and are judged as one. It is
 * valid inside the function given to mutate, and sees its own edits. Throwing
 * undoes all of it.
 */
export interface Tx<S extends Collections = any> {
    /** A record as the mutation so far would leave it. */
    get<C extends keyof S & string>(collection: C, id: string): Row<S[C]> | undefined;
    /** Makes a record and returns its id, a new one unless given. The gateway rejects it with `exists` if it is there. */
    create<C extends keyof S & string>(collection: C, fields: Given<S[C]>, id?: string): string;
    /** Edits a record that exists. An update never creates: the gateway rejects it with `missing` or `deleted`. */
    update<C extends keyof S & string>(collection: C, id: string, edit: (draft: Draft<S[C]>) => void): void;
    delete(collection: keyof S & string, id: string): void;
    /** Brings a deleted record back as it was. */
    undelete(collection: keyof S & string, id: string): void;
    /** Closes an open conflict, giving its field the value; undefined removes the field. */
    resolve(conflict: string, value: unknown): void;
    /** Asks for all or nothing: rejected with `stale` if any edit would lose to a concurrent one. */
    whole(): void;
    /** Adds a precondition; if it does not hold, the mutation is rejected with `precondition`. */
    require(precondition: Precondition): void;
    /** Demands that nobody else has changed the record, or one field of it, since this device saw it. */
    requireUnchanged(collection: keyof S & string, id: string, field?: string): void;
    /** Demands that the record, or one field of it, does not exist. */
    requireAbsent(collection: keyof S & string, id: string, field?: string): void;
}
/** The mutation that is being made, for the code that makes its ops. */
export declare class Making implements Tx {
    #private;
    readonly desk: Desk;
    readonly ops: Op[];
    constructor(desk: Desk);
    /** The view with this mutation's own edits. */
    look(key: Key): Rec | undefined;
    /** The same, undefined if there is none. */
    seen(key: Key): Rec | undefined;
    get(collection: string, id: string): Row<any> | undefined;
    create(collection: string, fields: object, id?: string): string;
    update(collection: string, id: string, edit: (draft: any) => void): void;
    delete(collection: string, id: string): void;
    undelete(collection: string, id: string): void;
    resolve(conflict: string, value: unknown): void;
    whole(): void;
    require(precondition: Precondition): void;
    requireUnchanged(collection: string, id: string, field?: string): void;
    requireAbsent(collection: string, id: string, field?: string): void;
    /** Adds an op and predicts it. */
    add(op: Op): void;
    /** Adds an op that was made before as one of now: what its author saw is what the view shows. */
    again(op: Op): void;
    /** A copy of the app's value in the one form that values have. */
    value(about: string, value: unknown): Value;
    /**
     * Turns a field as the app wrote it into the fields that the schema declares:
     * objects that it declares become a field for each leaf.
     */
    flatten(collection: string, path: string, value: unknown, into: Map<string, Value>): void;
    /** What the user sees in a field, for the base of a conflict; left out if it is long. */
    was(key: Key, field: string): Value | undefined;
    finish(): Mutation;
}
/** Sets as one op: a field by itself, or all members of its group, those that were not given as they are now. */
export declare function setOps(tx: Making, key: Key, fields: ReadonlyMap<string, Value | undefined>): void;
export declare function shortValue(value: Value | undefined): Value | undefined;
/** How a schema lays out fields. */
export declare function kindsOf(rules: Rules): Kinds;
