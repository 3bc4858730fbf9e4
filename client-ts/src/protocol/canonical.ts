import { compareText, textSize } from "./text.js";
import type { Value } from "./value.js";
import { Writer } from "./writer.js";

/** The one encoding of a value. It throws a ProtocolError for what is none, with its refusal and the place. */
export function encodeValue(v: unknown): Uint8Array {
  const w = new Writer();
  w.value(v);
  return w.done();
}

/**
 * A value of the app's own, copied: the app may change what it gave. It throws a
 * ProtocolError, with its refusal and the place, for what is no value.
 */
export function canonicalValue(v: unknown): Value {
  encodeValue(v);
  return copy(v as Value);
}

function copy(v: Value): Value {
  if (typeof v === "number") return v + 0; // -0 is 0
  if (typeof v !== "object" || v === null) return v;
  if (v instanceof Uint8Array) return v.slice();
  if (Array.isArray(v)) return v.map(copy);
  return Object.fromEntries(Object.entries(v).map(([key, inner]) => [key, copy(inner)]));
}

/** The length of a value's encoding in bytes. */
export function valueSize(v: Value): number {
  return encodeValue(v).length;
}

/** Orders values by the bytes of their encodings, which has nothing to do with the order of numbers. */
export function compareValues(a: Value, b: Value): number {
  if (a === b) return 0;
  if (typeof a === "string" && typeof b === "string") {
    // The head of an encoding grows with the length.
    return textSize(a) - textSize(b) || compareText(a, b);
  }
  return compareBytes(encodeValue(a), encodeValue(b));
}

/** Orders bytes as such. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/** Whether two values, either of which may be absent, are the same. */
export function sameValue(a: Value | undefined, b: Value | undefined): boolean {
  return a === b || (typeof a === "object" && typeof b === "object" && compareValues(a, b) === 0);
}
