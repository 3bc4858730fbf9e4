import type { Refusal } from "./errors.js";
import type { NameTable } from "./name_table.js";
import type { Value } from "./value.js";
/** The rule that a number breaks, if any. */
export declare function numberRefusal(n: number): Refusal | undefined;
/** Appends msgpack, everything in its shortest form, to bytes that grow. */
export declare class Writer {
    #private;
    readonly names?: NameTable | undefined;
    /** If there is a table, collections and fields that it has are written as their numbers. */
    constructor(names?: NameTable | undefined);
    /** What was written; the writer must not be used any more. */
    done(): Uint8Array;
    byte(b: number): void;
    raw(bytes: Uint8Array): void;
    /** An integer of at most ±2^53. */
    int(n: number): void;
    array(n: number): void;
    bool(b: boolean): void;
    bytes(b: Uint8Array): void;
    text(s: string): void;
    /** A record's or an element's id: a canonical UUID as its 16 bytes, anything else as a string. */
    id(s: string): void;
    /** A collection or a field: its number, or literally. */
    name(s: string): void;
    /** A value that may be absent: [] or [value]. */
    optional(v: Value | undefined): void;
    /**
     * A value in its one form. It takes anything, and throws a ProtocolError if that
     * is no value.
     */
    value(v: unknown, depth?: number): void;
}
