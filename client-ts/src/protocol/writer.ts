import { ProtocolError } from "./errors.js";
import type { Refusal } from "./errors.js";
import { fromHex, isUUID } from "./ids.js";
import { maxInteger, maxValueDepth } from "./limits.js";
import type { NameTable } from "./name_table.js";
import { compareText, textSize, writeText } from "./text.js";
import type { Value } from "./value.js";

/** The least magnitude, other than 0, of a number: DynamoDB's. */
const smallest = 1e-130;

/** The rule that a number breaks, if any. */
export function numberRefusal(n: number): Refusal | undefined {
  if (n !== n) return "not-a-number";
  const magnitude = Math.abs(n);
  if (magnitude === Infinity) return "infinite";
  if (magnitude > maxInteger) return "range";
  return magnitude < smallest && n !== 0 ? "tiny" : undefined;
}

const allowed =
  "a value is null, a boolean, a number within ±2^53 that is 0 or no nearer to it than 1e-130, a string, a Uint8Array, " +
  "or an array or a plain object of values, at most 24 deep";

/** A buffer that no writer uses. */
let spare: Uint8Array | undefined;

/** Appends msgpack, everything in its shortest form, to bytes that grow. */
export class Writer {
  #bytes = spare ?? new Uint8Array(1024);
  #length = 0;
  /** Where in a value we are, for messages. */
  #path: (string | number)[] = [];

  /** If there is a table, collections and fields that it has are written as their numbers. */
  constructor(readonly names?: NameTable) {
    spare = undefined;
  }

  /** What was written; the writer must not be used any more. */
  done(): Uint8Array {
    if (this.#bytes.length <= 1 << 16) spare = this.#bytes;
    return this.#bytes.slice(0, this.#length);
  }

  /** Makes room for `size` bytes and returns where it is. */
  #room(size: number): number {
    const at = this.#length;
    this.#length += size;
    if (this.#length > this.#bytes.length) {
      const more = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      more.set(this.#bytes);
      this.#bytes = more;
    }
    return at;
  }

  /** Writes a code and `width` bytes of a big-endian number behind it. */
  #wide(code: number, n: number, width: number): void {
    const at = this.#room(1 + width);
    this.#bytes[at] = code;
    for (let i = width; i > 0; i--) {
      this.#bytes[at + i] = n; // taken modulo 256
      n = Math.floor(n / 256);
    }
  }

  byte(b: number): void {
    const at = this.#room(1); // first: it may take other bytes
    this.#bytes[at] = b;
  }

  raw(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** An integer of at most ±2^53. */
  int(n: number): void {
    if (n >= -32 && n < 0x80) this.byte(n);
    // A negative number takes as much as −1 − n, shifted by the sign's bit.
    else if (n < 0) this.#sized(0xd0, n, -2 * (n + 1));
    else this.#sized(0xcc, n);
  }

  /** A length or a number in the least of 1, 2, 4 and 8 bytes in which `extent` has room. */
  #sized(code: number, n: number, extent = n): void {
    const power = extent < 0x100 ? 0 : extent < 0x10000 ? 1 : extent < 0x100000000 ? 2 : 3;
    this.#wide(code + power, n, 1 << power);
  }

  #head(short: number, code: number, n: number): void {
    if (n < 16) this.byte(short + n);
    else if (n < 0x10000) this.#wide(code, n, 2);
    else this.#wide(code + 1, n, 4);
  }

  array(n: number): void {
    this.#head(0x90, 0xdc, n);
  }

  bool(b: boolean): void {
    this.byte(b ? 0xc3 : 0xc2);
  }

  bytes(b: Uint8Array): void {
    this.#sized(0xc4, b.length);
    this.raw(b);
  }

  text(s: string): void {
    const size = textSize(s);
    if (size < 0) this.#refuse("utf-8");
    if (size < 32) this.byte(0xa0 + size);
    else this.#sized(0xd9, size);
    const at = this.#room(size);
    writeText(s, this.#bytes, at);
  }

  /** A record's or an element's id: a canonical UUID as its 16 bytes, anything else as a string. */
  id(s: string): void {
    if (isUUID(s)) this.bytes(fromHex(s));
    else this.text(s);
  }

  /** A collection or a field: its number, or literally. */
  name(s: string): void {
    const n = this.names?.number(s);
    if (n === undefined) this.text(s);
    else this.int(n);
  }

  /** A value that may be absent: [] or [value]. */
  optional(v: Value | undefined): void {
    this.array(v === undefined ? 0 : 1);
    if (v !== undefined) this.value(v);
  }

  /**
   * A value in its one form. It takes anything, and throws a ProtocolError if that
   * is no value.
   */
  value(v: unknown, depth: number = maxValueDepth): void {
    switch (typeof v) {
      case "boolean":
        return this.bool(v);
      case "string":
        return this.text(v);
      case "number":
        return this.#number(v);
      case "object":
        break;
      default:
        return this.#refuse("type");
    }
    if (v === null) return this.byte(0xc0);
    if (isBytes(v)) return this.bytes(v);
    const isArray = Array.isArray(v);
    if (!isArray && !isPlain(v)) return this.#refuse("type");
    if (depth === 0) return this.#refuse("depth");
    const path = this.#path;
    if (isArray) {
      this.array(v.length);
      for (let i = 0; i < v.length; i++) {
        path.push(i);
        this.value(v[i], depth - 1);
        path.pop();
      }
      return;
    }
    const map = v as { readonly [key: string]: unknown };
    // As in JSON, a property that is undefined is not there.
    const keys = Object.keys(map)
      .filter((key) => map[key] !== undefined)
      .sort(compareText);
    this.#head(0x80, 0xde, keys.length);
    for (const key of keys) {
      path.push(key);
      this.text(key);
      this.value(map[key], depth - 1);
      path.pop();
    }
  }

  #number(n: number): void {
    const refusal = numberRefusal(n);
    if (refusal) this.#refuse(refusal);
    if (Number.isInteger(n)) return this.int(n);
    this.byte(0xcb);
    const at = this.#room(8);
    new DataView(this.#bytes.buffer).setFloat64(at, n);
  }

  #refuse(refusal: Refusal): never {
    const path = this.#path.join(".");
    throw new ProtocolError("malformed", `value${path && ` at ${path}`}: ${refusal}: ${allowed}`, path, refusal);
  }
}

// Neither test asks for this realm's own classes: values come from other frames,
// workers and test runners too.

function isBytes(v: object): v is Uint8Array {
  return Object.prototype.toString.call(v) === "[object Uint8Array]";
}

function isPlain(v: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(v);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
