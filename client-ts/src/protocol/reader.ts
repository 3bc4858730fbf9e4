import { ProtocolError } from "./errors.js";
import type { Code, Refusal } from "./errors.js";
import { formatUUID, isUUID, toHex } from "./ids.js";
import { maxInteger, maxValueDepth } from "./limits.js";
import type { NameTable } from "./name_table.js";
import { decodeText } from "./text.js";
import type { Value } from "./value.js";
import { numberRefusal } from "./writer.js";

// What an element is, by its place in this list.
const kinds = ["nil", "a boolean", "an integer", "a float", "a string", "bytes", "an array", "a map", "an extension"];
const nil = 0;
const bool = 1;
const int = 2;
const float = 3;
const string = 4;
const bytes = 5;
const array = 6;
const map = 7;
const extension = 8;
const nothing = 9;

// For the codes from 0xc0 to 0xdf: what they begin, and how many bytes of a number
// or a length follow.
const kindOf = [..."09115558883322222222888884446677"].map(Number);
const widthOf = [..."00001241244812481248000001242424"].map(Number);

/**
 * Reads msgpack, strictly: a declared length or count that cannot be there, a
 * type that does not belong or a number out of range throws a ProtocolError.
 * What it makes is in proportion to the bytes that it has read, since nothing is
 * made ahead of reading it.
 */
export class Reader {
  pos = 0;
  /** What is being read, and which part of it, for messages. */
  what = "message";
  part = "";
  /** Resolves the numbers of collections and fields. */
  names: NameTable | undefined;
  /** How many mutations the commit has that sections belong to; −1 where no commit is open. */
  mutations = -1;
  /** How many bytes lists may still take, as package protocol counts them. */
  memory = Infinity;
  /** Of the last head: the bytes of a string, or the elements of an array, a map's keys and values. */
  size = 0;
  /** Of the last head: an integer, ±Infinity if it is beyond ±2^53; a float; 1 for true. */
  #number = 0;

  constructor(readonly data: Uint8Array) {}

  fail(reason: string, code: Code = "malformed", refusal?: Refusal): never {
    throw new ProtocolError(code, `${this.what}, ${this.part || "byte"} (${this.pos}): ${reason}`, "", refusal);
  }

  refuse(refusal: Refusal): never {
    this.fail(refusal, "malformed", refusal);
  }

  more(): boolean {
    return this.pos < this.data.length;
  }

  /** Demands that everything was read. */
  end(): void {
    if (this.more()) this.refuse("trailing");
  }

  /** Reads the head of the next element and returns its kind. */
  head(): number {
    const { data } = this;
    if (!this.more()) this.refuse("truncated");
    const c = data[this.pos++]!;
    let kind = int;
    this.size = 0;
    if (c < 0x80 || c >= 0xe0) {
      this.#number = c < 0x80 ? c : c - 256;
    } else if (c < 0xc0) {
      kind = c < 0x90 ? map : c < 0xa0 ? array : string;
      this.size = kind === string ? c & 31 : c & 15;
    } else {
      kind = kindOf[c - 0xc0]!;
      const width = widthOf[c - 0xc0]!;
      if (kind === nothing) this.refuse("invalid");
      if (data.length - this.pos < width) this.refuse("truncated");
      this.#number = width ? this.#wide(kind, width, kind === int && c >= 0xd0) : c & 1;
      if (kind >= string && kind <= map) this.size = this.#number;
    }
    if (kind === map) this.size *= 2;
    if (this.size > data.length - this.pos) this.refuse("truncated");
    return kind;
  }

  /** Reads the number of `width` bytes behind a code. */
  #wide(kind: number, width: number, signed: boolean): number {
    const { data, pos } = this;
    this.pos += width;
    if (kind === float) {
      const view = new DataView(data.buffer, data.byteOffset + pos);
      return width === 4 ? view.getFloat32(0) : view.getFloat64(0);
    }
    let high = 0;
    let low = 0;
    for (let i = 0; i < width; i++) {
      if (width - i > 4) high = high * 256 + data[pos + i]!;
      else low = low * 256 + data[pos + i]!;
    }
    if (width < 8) return signed && low >= 2 ** (8 * width - 1) ? low - 2 ** (8 * width) : low;
    if (signed) high |= 0;
    const most = maxInteger / 2 ** 32;
    if (high > most || (high === most && low > 0)) return Infinity;
    return high < -most ? -Infinity : high * 2 ** 32 + low;
  }

  #expect(want: number): void {
    const kind = this.head();
    if (kind !== want) this.fail(`expected ${kinds[want]}, found ${kinds[kind]}`);
  }

  /** Reads the head of an array; `cost` is what each element counts in memory. */
  array(cost = 0): number {
    this.#expect(array);
    this.memory -= cost * this.size;
    if (this.memory < 0) this.fail("too many parts for so few bytes", "too-large");
    return this.size;
  }

  /** Demands that an array has `want` elements; reads its head unless that was done. */
  arity(want: number, got = this.array()): void {
    if (got !== want) this.fail(`expected ${want} elements, found ${got}`);
  }

  list<T>(read: () => T, cost?: number): T[] {
    const list: T[] = [];
    for (let n = this.array(cost); n > 0; n--) list.push(read());
    return list;
  }

  /** An integer of at most ±2^53, or from `least` to `most`. */
  int(least = -maxInteger, most = maxInteger): number {
    this.#expect(int);
    const n = this.#number;
    if (n < least || n > most) this.fail(`expected an integer from ${least} to ${most}`);
    return n;
  }

  bool(): boolean {
    this.#expect(bool);
    return this.#number === 1;
  }

  text(): string {
    this.#expect(string);
    return this.#text();
  }

  #text(): string {
    const text = decodeText(this.data, this.pos, (this.pos += this.size));
    return text ?? this.refuse("utf-8");
  }

  /** Bytes, copied. */
  bytes(): Uint8Array {
    this.#expect(bytes);
    return this.#bytes();
  }

  #bytes(): Uint8Array {
    return this.data.slice(this.pos, (this.pos += this.size));
  }

  /** Bytes of which there must be n, as `show` has them; if there may be none, they count as zeros. */
  fixed(n: number, show: (data: Uint8Array, at: number, n: number) => string = toHex, orNone = false): string {
    this.#expect(bytes);
    if (orNone && this.size === 0) return "0".repeat(2 * n);
    if (this.size !== n) this.fail(`expected ${n} bytes, found ${this.size}`);
    return show(this.data, (this.pos += n) - n, n);
  }

  /** Whether the next element is an integer. */
  isInt(): boolean {
    const c = this.data[this.pos] ?? 0xc1;
    return c < 0x80 || c >= 0xe0 || (c >= 0xcc && c < 0xd4);
  }

  /** A record's or an element's id. A UUID has one form alone, its bytes. */
  id(): string {
    if (kindOf[this.data[this.pos]! - 0xc0] === bytes) return this.fixed(16, formatUUID);
    const text = this.text();
    return isUUID(text) ? this.fail("a UUID travels as its 16 bytes") : text;
  }

  /** A collection or a field: a number of the table, or literally. */
  name(): string {
    if (!this.isInt()) return this.text();
    return this.names?.name(this.int()) ?? this.fail("there is no such name in the table");
  }

  /** A value that may be absent: [] or [value]. */
  optional(): Value | undefined {
    const n = this.array();
    if (n > 1) this.arity(1, n);
    return n ? this.value() : undefined;
  }

  /** A value of the domain, in whatever encoding. */
  value(depth: number = maxValueDepth): Value {
    const kind = this.head();
    const { size } = this;
    switch (kind) {
      case nil:
        return null;
      case bool:
        return this.#number === 1;
      case int:
      case float: {
        const refusal = numberRefusal(this.#number);
        if (refusal) this.refuse(kind === int ? "range" : refusal);
        return this.#number + 0; // −0 is 0
      }
      case string:
        return this.#text();
      case bytes:
        return this.#bytes();
      case extension:
        this.refuse("extension");
    }
    if (!depth) this.refuse("depth");
    if (kind === array) {
      const list: Value[] = [];
      while (list.length < size) list.push(this.value(depth - 1));
      return list;
    }
    const entries: { [key: string]: Value } = {};
    for (let i = 0; i < size; i += 2) {
      if (this.head() !== string) this.refuse("key");
      const key = this.#text();
      if (Object.hasOwn(entries, key)) this.refuse("duplicate-key");
      const value = this.value(depth - 1);
      // Assigning to this one name would do something else.
      if (key === "__proto__") Object.defineProperty(entries, key, { value, enumerable: true, configurable: true, writable: true });
      else entries[key] = value;
    }
    return entries;
  }
}
