import type { Reader } from "./reader.js";
import type { Value } from "./value.js";
import type { Writer } from "./writer.js";
/** How one part of a frame is written and read. */
export interface Codec<T> {
    write(w: Writer, v: T): void;
    read(r: Reader): T;
    /** How many elements it takes, where not one. */
    readonly width?: number;
}
/** The parts of a structure in the order in which they travel. */
export type Fields<T> = {
    readonly [K in keyof T]-?: Codec<T[K]>;
};
export declare const text: Codec<string>;
export declare const bool: Codec<boolean>;
export declare const bytes: Codec<Uint8Array>;
export declare const id: Codec<string>;
export declare const name: Codec<string>;
export declare const value: Codec<Value>;
export declare const optional: Codec<Value | undefined>;
/** An integer of at most ±2^53, or from `least` to `most`. */
export declare function int(least?: number, most?: number): Codec<number>;
export declare const time: Codec<number>;
export declare const uint: Codec<number>;
export declare const uint32: Codec<number>;
/** A number that stands for a word; the first word's is `first`, and words before `from` are not read. */
export declare function word<T extends string>(words: readonly T[], first?: number, from?: number): Codec<T>;
/** `cost` is what each element counts in memory. */
export declare function list<T>(of: Codec<T>, cost?: number): Codec<readonly T[]>;
/** A list that must not be empty, or a number that must not be 0. */
export declare function some<T>(of: Codec<T>): Codec<T>;
/** An array of exactly these parts. */
export declare function tuple<T>(fields: Fields<T>): Codec<T>;
/** Parts of an array of which the rest is written and read by somebody else. */
export interface Parts<T> {
    readonly width: number;
    write(w: Writer, v: T): void;
    /** Reads the parts, of which there must be n, into an object. */
    read(r: Reader, n: number, into: object): T;
}
export declare function parts<T>(fields: Fields<T>): Parts<T>;
