import { ProtocolError } from "./errors.js";
import type { Code } from "./errors.js";
import { maxNameBytes } from "./limits.js";
import { textSize } from "./text.js";

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
