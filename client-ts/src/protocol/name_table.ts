import { maxNames } from "./limits.js";

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
