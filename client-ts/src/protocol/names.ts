import { ProtocolError } from "./errors.js";
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
   * Takes over the names that a commit or a snapshot brings, and returns what is
   * wrong with them, if anything. Those that the table has already are compared: a
   * device that resumes behind a snapshot's cursor is sent some of them again.
   */
  learn(first: number, names: readonly string[]): string | undefined {
    if (first > this.#names.length) return `it adds names from number ${first} on, but only ${this.#names.length} are known`;
    for (const [i, name] of names.entries()) {
      const have = this.#names[first + i];
      if (have === undefined ? !this.add(name) : have !== name) return `name ${first + i} is another, or there is no room for it`;
    }
    return undefined;
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
  const size = textSize(s);
  const single = kind === "collection name" || kind === "property name";
  const parts = single ? [s] : kind === "field path" ? s.split(".") : [];
  const why =
    size === 0
      ? "is empty"
      : size < 0
        ? "is not valid UTF-8"
        : size > maxNameBytes
          ? "is longer than 255 bytes"
          : single && s.includes(".")
            ? 'contains "."'
            : parts.includes("")
              ? "has an empty part"
              : parts.some((part) => part[0] === "_")
                ? 'begins with "_", or a part of it does'
                : "";
  if (why) throw new ProtocolError("malformed", `${kind} ${JSON.stringify(s.slice(0, 64))} ${why}`, s.slice(0, maxNameBytes));
}

/** Throws a ProtocolError unless s may name a space: 1 to 255 bytes of UTF-8 without control characters. */
export function checkSpaceName(s: string): void {
  const size = textSize(s);
  if (size > 0 && size <= maxNameBytes && !/[\0-\x1f\x7f-\x9f]/.test(s)) return;
  throw new ProtocolError(
    "space-name",
    `the space's name ${JSON.stringify(s.slice(0, 64))} must have 1 to ${maxNameBytes} bytes of UTF-8 and no control characters`,
  );
}
