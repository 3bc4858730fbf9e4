import type { Code, Refusal } from "./errors.js";
import type { NameTable } from "./name_table.js";
import type { Value } from "./value.js";
/**
 * Reads msgpack, strictly: a declared length or count that cannot be there, a
 * type that does not belong or a number out of range throws a ProtocolError.
 * What it makes is in proportion to the bytes that it has read, since nothing is
 * made ahead of reading it.
 */
export declare class Reader {
    #private;
    readonly data: Uint8Array;
    pos: number;
    /** What is being read, and which part of it, for messages. */
    what: string;
    part: string;
    /** Resolves the numbers of collections and fields. */
    names: NameTable | undefined;
    /** How many mutations the commit has that sections belong to; −1 where no commit is open. */
    mutations: number;
    /** How many bytes lists may still take, as package protocol counts them. */
    memory: number;
    /** Of the last head: the bytes of a string, or the elements of an array, a map's keys and values. */
    size: number;
    constructor(data: Uint8Array);
    fail(reason: string, code?: Code, refusal?: Refusal): never;
    refuse(refusal: Refusal): never;
    more(): boolean;
    /** Demands that everything was read. */
    end(): void;
    /** Reads the head of the next element and returns its kind. */
    head(): number;
    /** Reads the head of an array; `cost` is what each element counts in memory. */
    array(cost?: number): number;
    /** Demands that an array has `want` elements; reads its head unless that was done. */
    arity(want: number, got?: number): void;
    list<T>(read: () => T, cost?: number): T[];
    /** An integer of at most ±2^53, or from `least` to `most`. */
    int(least?: number, most?: number): number;
    bool(): boolean;
    text(): string;
    /** Bytes, copied. */
    bytes(): Uint8Array;
    /** Bytes of which there must be n, as `show` has them; if there may be none, they count as zeros. */
    fixed(n: number, show?: (data: Uint8Array, at: number, n: number) => string, orNone?: boolean): string;
    /** Whether the next element is an integer. */
    isInt(): boolean;
    /** A record's or an element's id. A UUID has one form alone, its bytes. */
    id(): string;
    /** A collection or a field: a number of the table, or literally. */
    name(): string;
    /** A value that may be absent: [] or [value]. */
    optional(): Value | undefined;
    /** A value of the domain, in whatever encoding. */
    value(depth?: number): Value;
}
