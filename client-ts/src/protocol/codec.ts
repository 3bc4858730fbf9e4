import type { Reader } from "./reader.js";
import type { Value } from "./value.js";
import type { Writer } from "./writer.js";

/** How one part of a frame is written and read. */
export interface Codec<T> {
  write(w: Writer, v: T): void;
  read(r: Reader, field: string): T;
  /** How many elements it takes, where not one. */
  readonly width?: number;
}

/** The parts of a structure in the order in which they travel. */
export type Fields<T> = { readonly [K in keyof T]-?: Codec<T[K]> };

export const text: Codec<string> = { write: (w, v) => w.text(v), read: (r, field) => r.text(field) };
export const bool: Codec<boolean> = { write: (w, v) => w.bool(v), read: (r, field) => r.bool(field) };
export const bytes: Codec<Uint8Array> = { write: (w, v) => w.bytes(v), read: (r, field) => r.bytes(field) };
export const id: Codec<string> = { write: (w, v) => w.id(v), read: (r, field) => r.id(field) };
export const value: Codec<Value> = { write: (w, v) => w.value(v), read: (r, field) => r.value(field) };
export const optional: Codec<Value | undefined> = { write: (w, v) => w.optional(v), read: (r, field) => r.optional(field) };
export const int: Codec<number> = { write: (w, v) => w.int(v), read: (r, field) => r.int(field) };

/** An integer from 0 to limit. */
export function upTo(limit?: number): Codec<number> {
  return { write: (w, v) => w.int(v), read: (r, field) => r.uint(field, limit) };
}

export const uint = upTo();
export const uint32 = upTo(2 ** 32 - 1);

/** A number that stands for a word; the first word's is `first`. */
export function word<T extends string>(words: readonly T[], first = 0): Codec<T> {
  return {
    write: (w, v) => w.int(words.indexOf(v) + first),
    read: (r, field) => words[r.uint(field, words.length - 1 + first) - first] ?? r.fail(field, "0 is not known"),
  };
}

export function list<T>(of: Codec<T>, cost?: number): Codec<readonly T[]> {
  return {
    write(w, list) {
      w.array(list.length);
      for (const v of list) of.write(w, v);
    },
    read: (r, field) => r.list(field, () => of.read(r, field), cost),
  };
}

/** An array of exactly these parts. */
export function tuple<T>(fields: Fields<T>): Codec<T> {
  const inner = parts(fields);
  return {
    write(w, v) {
      w.array(inner.width);
      inner.write(w, v);
    },
    read: (r, field) => inner.read(r, r.array(field), {}),
  };
}

/** The parts of an array of which the head is written and read by somebody else. */
export function parts<T>(fields: Fields<T>): {
  readonly width: number;
  write(w: Writer, v: T): void;
  /** Reads the parts of an array of n elements into an object. */
  read(r: Reader, n: number, into: object): T;
} {
  const entries = Object.entries(fields) as [string, Codec<unknown>][];
  const width = entries.reduce((n, [, codec]) => n + (codec.width ?? 1), 0);
  return {
    width,
    write(w, v) {
      for (const [key, codec] of entries) codec.write(w, (v as Record<string, unknown>)[key]);
    },
    read(r, n, into) {
      r.arity(r.what, n, width);
      const read = into as Record<string, unknown>;
      for (const [key, codec] of entries) read[key] = codec.read(r, key);
      return read as T;
    },
  };
}
