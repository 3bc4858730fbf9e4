import { ProtocolError } from "./errors.js";
import type { Code } from "./errors.js";
import { maxNameBytes, maxNames } from "./limits.js";
import { textSize } from "./text.js";

/** Numbers the collections and fields of a space, in the order in which commits first used them. */
export class NameTable {
  readonly #numbers = new Map<string, number>();
  #names: string[] = [];

  /** Names beyond `maxNames` and repeated ones are left out. */
  constructor(names: Iterable<string> = []) {
    for (const name of names) this.add(name);
  }

  /** The names in the order of their numbers; not to be changed. */
  get names(): readonly string[] {
    return this.#names;
  }

  number(name: string): number | undefined {
    return this.#numbers.get(name);
  }

  name(n: number): string | undefined {
    return this.#names[n];
  }

  /** Gives name the next number; false if it has one already or the table is full. */
  add(name: string): boolean {
    if (this.#numbers.has(name) || this.#names.length >= maxNames) return false;
    this.#numbers.set(name, this.#names.push(name) - 1);
    return true;
  }

  /** Forgets the names from number n on. */
  truncate(n: number): void {
    for (const name of this.#names.splice(n)) this.#numbers.delete(name);
  }

  clone(): NameTable {
    return new NameTable(this.#names);
  }

  /**
   * Takes over the names that a commit or a snapshot brings, and says whether they
   * fit. Those that the table has already are compared: a device that resumes behind
   * a snapshot's cursor is sent some of them again.
   */
  learn(first: number, names: readonly string[]): boolean {
    const known = this.#names.length;
    return first <= known && names.every((name, i) => (first + i < known ? this.#names[first + i] === name : this.add(name)));
  }
}

/** What a name is the name of, in the words of messages. A field path is properties joined with dots. */
export type NameKind = "collection name" | "record id" | "field path" | "property name" | "element id" | "position";

/**
 * Throws a ProtocolError unless s may be a name of this kind: 1 to 255 bytes of
 * UTF-8. Collections, and each property of a path, do not begin with "_" nor
 * contain ".".
 */
export function checkName(kind: NameKind, s: string): void {
  const single = kind === "collection name" || kind === "property name";
  const parts = single || kind === "field path" ? s.split(".") : [];
  if (isSized(s) && (!single || parts.length === 1) && parts.every((part) => part && part[0] !== "_")) return;
  const rule = parts.length > 0 ? `${single ? ', and no "."' : ""}, and no part of it may be empty or begin with "_"` : "";
  throw refused("malformed", kind, s, rule, s.slice(0, maxNameBytes));
}

/** Throws a ProtocolError unless s may name a space: 1 to 255 bytes of UTF-8 without control characters. */
export function checkSpaceName(s: string): void {
  if (!isSized(s) || /[\0-\x1f\x7f-\x9f]/.test(s)) throw refused("space-name", "space's name", s, ", and no control characters");
}

function isSized(s: string): boolean {
  const size = textSize(s);
  return size > 0 && size <= maxNameBytes;
}

function refused(code: Code, what: string, s: string, rule: string, field?: string): ProtocolError {
  return new ProtocolError(code, `the ${what} ${JSON.stringify(s.slice(0, 64))} must have 1 to ${maxNameBytes} bytes of UTF-8${rule}`, field);
}
