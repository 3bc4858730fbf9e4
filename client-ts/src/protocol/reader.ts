import { ProtocolError } from "./errors.js";
import type { Code, Refusal } from "./errors.js";
import { formatUUID, isUUID, toHex } from "./ids.js";
import { maxInteger, maxValueDepth } from "./limits.js";
import type { NameTable } from "./names.js";
import { decodeText } from "./text.js";
import type { Value } from "./value.js";
import { numberRefusal, refusals, wide } from "./writer.js";

// What an element is.
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

const kinds = ["nil", "a boolean", "an integer", "a float", "a string", "bytes", "an array", "a map", "an extension"];

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
  /** What is being read, for messages: a frame's name, "mutation", … */
  what = "message";
  /** Resolves the numbers of collections and fields. */
  names: NameTable | undefined;
  /** How many mutations the commit has that sections belong to; −1 where no commit is open. */
  mutations = -1;
  /** How many bytes lists may still take, as package protocol counts them. */
  memory = Infinity;

  #kind = nothing;
  /** The bytes of a string, or the elements of an array; a map's keys and values. */
  #size = 0;
  /** An integer, ±Infinity if it is beyond ±2^53; a float; 1 for true. */
  #number = 0;

  constructor(readonly data: Uint8Array) {}

  fail(field: string, reason: string, code: Code = "malformed", refusal?: Refusal): never {
    throw new ProtocolError(code, `${this.what}: ${field}: ${reason} (byte ${this.pos})`, "", refusal);
  }

  #refuse(field: string, refusal: Refusal): never {
    this.fail(field, refusals[refusal], "malformed", refusal);
  }

  more(): boolean {
    return this.pos < this.data.length;
  }

  /** Demands that everything was read. */
  end(): void {
    if (this.more()) this.#refuse("end", "trailing");
  }

  /** Reads the head of the next element. */
  #head(field: string): number {
    const { data } = this;
    if (this.pos >= data.length) this.#refuse(field, "truncated");
    const c = data[this.pos++]!;
    if (c < 0x80 || c >= 0xe0) {
      this.#number = c < 0x80 ? c : c - 256;
      return (this.#kind = int);
    }
    if (c < 0xc0) {
      this.#kind = c < 0x90 ? map : c < 0xa0 ? array : string;
      this.#size = c < 0x90 ? 2 * (c & 15) : c < 0xa0 ? c & 15 : c & 31;
    } else {
      const kind = (this.#kind = kindOf[c - 0xc0]!);
      if (kind === nothing) this.#refuse(field, "invalid");
      this.#number = c & 1; // of a boolean
      this.#size = 0;
      const width = widthOf[c - 0xc0]!;
      if (data.length - this.pos < width) this.#refuse(field, "truncated");
      if (width > 0) this.#wide(c, width);
      if (kind <= float || kind === extension) return kind;
      this.#size = kind === map ? 2 * this.#number : this.#number;
    }
    if (this.#size > data.length - this.pos) this.#refuse(field, "truncated");
    return this.#kind;
  }

  #wide(c: number, width: number): void {
    for (let i = 0; i < width; i++) wide.setUint8(i, this.data[this.pos++]!);
    if (this.#kind === float) {
      this.#number = width === 4 ? wide.getFloat32(0) : wide.getFloat64(0);
    } else if (c >= 0xd0 && c < 0xd4) {
      this.#number = width === 1 ? wide.getInt8(0) : width === 2 ? wide.getInt16(0) : this.#long(width, wide.getInt32(0));
    } else {
      this.#number = width === 1 ? wide.getUint8(0) : width === 2 ? wide.getUint16(0) : this.#long(width, wide.getUint32(0));
    }
  }

  /** The integer that begins with the 32 bits `high`. */
  #long(width: number, high: number): number {
    if (width === 4) return high;
    const low = wide.getUint32(4);
    const most = maxInteger / 2 ** 32;
    if (high > most || (high === most && low > 0)) return Infinity;
    return high < -most ? -Infinity : high * 2 ** 32 + low;
  }

  /**
   * Steps over a scalar, or into an array or a map: then it returns how many
   * elements that has, else −1. At the top there are arrays alone.
   */
  step(top: boolean): number {
    const kind = this.#head("scan");
    if (kind === extension) this.#refuse("scan", "extension");
    if (top && kind !== array) this.fail("scan", `a frame is an array, this is ${kinds[kind]}`);
    if (kind === array || kind === map) return this.#size;
    if (kind === string || kind === bytes) this.pos += this.#size;
    return -1;
  }

  #expect(field: string, kind: number): void {
    if (this.#head(field) !== kind) this.fail(field, `expected ${kinds[kind]}, found ${kinds[this.#kind]}`);
  }

  /** Reads the head of an array; `cost` is what each element counts in memory. */
  array(field: string, cost = 0): number {
    this.#expect(field, array);
    this.memory -= cost * this.#size;
    if (this.memory < 0) this.fail(field, `too many parts for its ${this.data.length} bytes`, "too-large");
    return this.#size;
  }

  /** Reads the head of an array that has exactly n elements. */
  tuple(field: string, n: number): void {
    this.arity(field, this.array(field), n);
  }

  arity(field: string, got: number, want: number): void {
    if (got !== want) this.fail(field, `it has ${got} elements, not ${want}`);
  }

  list<T>(field: string, read: () => T, cost = 0): T[] {
    const list: T[] = [];
    for (let n = this.array(field, cost); n > 0; n--) list.push(read());
    return list;
  }

  /** An integer of at most ±2^53. */
  int(field: string): number {
    this.#expect(field, int);
    if (Math.abs(this.#number) === Infinity) this.fail(field, "expected an integer of at most ±2^53");
    return this.#number;
  }

  /** An integer from 0 to limit. */
  uint(field: string, limit = maxInteger): number {
    const n = this.int(field);
    if (n < 0 || n > limit) this.fail(field, `${n} is not an integer from 0 to ${limit}`);
    return n;
  }

  bool(field: string): boolean {
    this.#expect(field, bool);
    return this.#number === 1;
  }

  text(field: string): string {
    this.#expect(field, string);
    return this.#text(field);
  }

  #text(field: string): string {
    const text = decodeText(this.data, this.pos, this.pos + this.#size);
    if (text === undefined) this.#refuse(field, "utf-8");
    this.pos += this.#size;
    return text;
  }

  /** Bytes, copied. */
  bytes(field: string): Uint8Array {
    this.#expect(field, bytes);
    return this.data.slice(this.pos, (this.pos += this.#size));
  }

  /** Bytes of which there must be n, in hexadecimal; if there may be none, they count as zeros. */
  hex(field: string, n: number, orNone = false): string {
    this.#expect(field, bytes);
    const size = this.#size;
    if (orNone && size === 0) return "0".repeat(2 * n);
    if (size !== n) this.fail(field, `expected ${n} bytes, found ${size}`);
    return toHex(this.data, this.pos, (this.pos += n));
  }

  uuid(field: string): string {
    this.#expect(field, bytes);
    if (this.#size !== 16) this.fail(field, `expected 16 bytes, found ${this.#size}`);
    return formatUUID(this.data, (this.pos += 16) - 16);
  }

  /** Whether the next element is an integer. */
  isInt(): boolean {
    const c = this.data[this.pos];
    return c !== undefined && (c < 0x80 || c >= 0xe0 || (c >= 0xcc && c < 0xd4));
  }

  /** A record's or an element's id. A UUID has one form alone, its bytes. */
  id(field: string): string {
    const c = this.data[this.pos];
    if (c !== undefined && c >= 0xc4 && c <= 0xc6) return this.uuid(field);
    const text = this.text(field);
    if (isUUID(text)) this.fail(field, "a UUID travels as its 16 bytes");
    return text;
  }

  /** A collection or a field: a number of the table, or literally. */
  name(field: string): string {
    if (!this.isInt()) return this.text(field);
    const n = this.uint(field);
    const name = this.names?.name(n);
    if (name === undefined) this.fail(field, `name ${n} is not in the table`);
    return name;
  }

  /** A value that may be absent: [] or [value]. */
  optional(field: string): Value | undefined {
    const n = this.array(field);
    if (n > 1) this.fail(field, `expected at most one value, found ${n}`);
    return n === 0 ? undefined : this.value(field);
  }

  /** A value of the domain, in whatever encoding. */
  value(field: string, depth: number = maxValueDepth): Value {
    const kind = this.#head(field);
    const number = this.#number;
    const size = this.#size;
    switch (kind) {
      case nil:
        return null;
      case bool:
        return number === 1;
      case int:
      case float: {
        const refusal = numberRefusal(number);
        if (refusal) this.#refuse(field, kind === int ? "range" : refusal);
        return number + 0; // −0 is 0
      }
      case string:
        return this.#text(field);
      case bytes:
        return this.data.slice(this.pos, (this.pos += size));
      case extension:
        this.#refuse(field, "extension");
    }
    if (depth === 0) this.#refuse(field, "depth");
    if (kind === array) {
      const list: Value[] = [];
      for (let i = 0; i < size; i++) list.push(this.value(field, depth - 1));
      return list;
    }
    const entries: { [key: string]: Value } = {};
    for (let i = 0; i < size; i += 2) {
      if (this.#head(field) !== string) this.#refuse(field, "key");
      const key = this.#text(field);
      if (Object.hasOwn(entries, key)) this.#refuse(field, "duplicate-key");
      const value = this.value(field, depth - 1);
      // Assigning to this one name would do something else.
      if (key === "__proto__") Object.defineProperty(entries, key, { value, enumerable: true, configurable: true, writable: true });
      else entries[key] = value;
    }
    return entries;
  }
}
