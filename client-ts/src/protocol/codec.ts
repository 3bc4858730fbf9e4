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
export type Fields<T> = { readonly [K in keyof T]-?: Codec<T[K]> };

export const text: Codec<string> = { write: (w, v) => w.text(v), read: (r) => r.text() };
export const bool: Codec<boolean> = { write: (w, v) => w.bool(v), read: (r) => r.bool() };
export const bytes: Codec<Uint8Array> = { write: (w, v) => w.bytes(v), read: (r) => r.bytes() };
export const id: Codec<string> = { write: (w, v) => w.id(v), read: (r) => r.id() };
export const name: Codec<string> = { write: (w, v) => w.name(v), read: (r) => r.name() };
export const value: Codec<Value> = { write: (w, v) => w.value(v), read: (r) => r.value() };
export const optional: Codec<Value | undefined> = { write: (w, v) => w.optional(v), read: (r) => r.optional() };

/** An integer of at most ±2^53, or from `least` to `most`. */
export function int(least?: number, most?: number): Codec<number> {
  return { write: (w, v) => w.int(v), read: (r) => r.int(least, most) };
}

export const time = int();
export const uint = int(0);
export const uint32 = int(0, 2 ** 32 - 1);

/** A number that stands for a word; the first word's is `first`, and words before `from` are not read. */
export function word<T extends string>(words: readonly T[], first = 0, from = 0): Codec<T> {
  return {
    write: (w, v) => w.int(words.indexOf(v) + first),
    read: (r) => words[r.int(first + from, first + words.length - 1) - first]!,
  };
}

/** `cost` is what each element counts in memory. */
export function list<T>(of: Codec<T>, cost?: number): Codec<readonly T[]> {
  return {
    write(w, list) {
      w.array(list.length);
      for (const v of list) of.write(w, v);
    },
    read: (r) => r.list(() => of.read(r), cost),
  };
}

/** A list that must not be empty, or a number that must not be 0. */
export function some<T>(of: Codec<T>): Codec<T> {
  return {
    write: of.write,
    read(r) {
      const v = of.read(r);
      return v === 0 || (v as readonly unknown[]).length === 0 ? r.fail("it is empty, or 0") : v;
    },
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
    read: (r) => inner.read(r, r.array(), {}),
  };
}

/** Parts of an array of which the rest is written and read by somebody else. */
export interface Parts<T> {
  readonly width: number;
  write(w: Writer, v: T): void;
  /** Reads the parts, of which there must be n, into an object. */
  read(r: Reader, n: number, into: object): T;
}

export function parts<T>(fields: Fields<T>): Parts<T> {
  const entries = Object.entries(fields) as [string, Codec<unknown>][];
  const width = entries.reduce((n, [, codec]) => n + (codec.width ?? 1), 0);
  return {
    width,
    write(w, v) {
      for (const [key, codec] of entries) codec.write(w, (v as Record<string, unknown>)[key]);
    },
    read(r, n, into) {
      r.arity(width, n);
      for (const [key, codec] of entries) {
        r.part = key;
        (into as Record<string, unknown>)[key] = codec.read(r);
      }
      return into as T;
    },
  };
}
