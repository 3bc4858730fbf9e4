import type { Value } from "../protocol/index.js";
import { same } from "../rows.js";
import { formats } from "./format.js";
import type { JSONSchema, SchemaSet } from "./schema.js";
import { lookup } from "./schema.js";

/** One way in which a value or a record breaks the schema. */
export interface Breach {
  /** The path of what is wrong. */
  readonly field: string;
  /** Fit for a user; it names the field. */
  readonly message: string;
  /** Names the rule that is broken, whatever the value: a breach that was there before is told from a new one. */
  readonly rule: string;
}

/** Where a schema stands: references are relative to its document. */
export interface Place {
  readonly set: SchemaSet;
  readonly document: JSONSchema;
}

/** The draft that is spoken here. */
const draft = "https://json-schema.org/draft/2020-12/schema";

/** Keywords that depend on what others evaluated, or on decoding: only the gateway asserts them. */
const beyond = ["$dynamicRef", "unevaluatedProperties", "unevaluatedItems", "contentEncoding", "contentMediaType"];

/** References that go round in circles. */
const maxDepth = 100;

const types = ["null", "boolean", "number", "integer", "string", "array", "object"];

type Json = Record<string, Value | undefined>;
type Node = Record<string, any>;

/**
 * Returns in what ways a value breaks a schema, in a fixed order; nothing if it
 * fits, or if only the gateway can tell. Bytes are a string in base64, as in JSON.
 */
export function breaches(place: Place, schema: JSONSchema | undefined, value: Value, path: string): Breach[] {
  return run(place, schema, value, path).found.sort(
    (a, b) => order(a.field, b.field) || order(a.rule, b.rule) || order(a.message, b.message),
  );
}

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Found is empty if the value fits; unsure says that the gateway may see it otherwise. */
function run({ set, document }: Place, schema: unknown, value: Value, path: string, nesting = 0): { found: Breach[]; unsure: boolean } {
  const found: Breach[] = [];
  let unsure = false;

  const says = (at: string, rule: string, message: string) =>
    found.push({ field: at, message: `${at ? JSON.stringify(at) : "the record"} ${message}`, rule: `${at} ${rule}` });
  const child = (at: string, name: string | number) => (at ? `${at}.${name}` : String(name));

  /** True, false, or undefined if the gateway may see it otherwise. */
  function fits(document: JSONSchema, schema: unknown, v: Value, depth: number): boolean | undefined {
    const inner = run({ set, document }, schema, v, "", depth);
    return inner.found.length > 0 ? false : inner.unsure ? undefined : true;
  }

  function check(document: JSONSchema, schema: unknown, v: Value, at: string, rule: string, depth: number): void {
    if (schema === false) says(at, rule, "is not allowed");
    if (typeof schema !== "object" || !schema) return;
    const s = schema as Node;
    if ((typeof document === "object" && "$schema" in document && document["$schema"] !== draft) || depth > maxDepth) {
      unsure = true;
      return;
    }
    if (beyond.some((keyword) => keyword in s)) unsure = true;
    const before = found.length;
    const no = (keyword: string, message: string) => says(at, `${rule}/${keyword}`, message);
    const self = (inner: unknown, keyword: string) => check(document, inner, v, at, `${rule}/${keyword}`, depth + 1);
    const bytes = v instanceof Uint8Array;
    const is = bytes ? "string" : v === null ? "null" : Array.isArray(v) ? "array" : typeof v;

    const wanted = [s["type"]].flat().filter((t) => typeof t === "string");
    if (wanted.length > 0 && !wanted.includes(is) && !(Number.isInteger(v) && wanted.includes("integer"))) {
      const words = types.filter((t) => wanted.includes(t)).map((t) => (t === "null" ? t : (/^[aio]/.test(t) ? "an " : "a ") + t));
      no("type", `must be ${words.join(" or ")}, not ${is}`);
    } else if (bytes && ("const" in s || "enum" in s || "format" in s || "pattern" in s)) unsure = true;
    else if ("const" in s && !same(v, s["const"])) no("const", `must be ${JSON.stringify(s["const"])}`);
    else if (Array.isArray(s["enum"]) && !s["enum"].some((each) => same(v, each)))
      no("enum", `must be one of ${s["enum"].map((each) => JSON.stringify(each)).join(", ")}`);
    else if (typeof s["format"] === "string" && is === "string") {
      const may = formats[s["format"]];
      if (may && !may(v as string)) no("format", `must be a valid ${s["format"]}`);
      else unsure = true;
    }
    if (found.length > before) return; // what has the wrong type is not judged further

    if (typeof s["$ref"] === "string") reference(document, s["$ref"], v, at, rule, depth);
    if (is === "object") object(document, s, v as Json, at, rule, depth, no);
    else if (is === "array") array(document, s, v as readonly Value[], at, rule, depth, no);
    else if (is === "number") number(s, v as number, no);
    else if (is === "string") string(s, bytes ? 4 * Math.ceil(v.length / 3) : (v as string), no);

    if ("not" in s && fits(document, s["not"], v, depth + 1)) no("not", "is not what the schema allows");
    for (const [i, each] of (s["allOf"] ?? []).entries()) self(each, `allOf/${i}`);
    for (const keyword of ["anyOf", "oneOf"]) {
      if (!Array.isArray(s[keyword])) continue;
      const all = s[keyword].map((each) => fits(document, each, v, depth + 1));
      const sure = all.filter((fit) => fit === true).length;
      if (all.includes(undefined)) unsure = true;
      if (all.every((fit) => fit === false) || (keyword === "oneOf" && sure > 1)) no(keyword, "is not what the schema allows");
    }
    if ("if" in s) {
      const fit = fits(document, s["if"], v, depth + 1);
      if (fit === undefined) unsure = true;
      else if (fit) self(s["then"], "then");
      else self(s["else"], "else");
    }
  }

  /** A reference within the document, or to another of the set. */
  function reference(document: JSONSchema, ref: string, v: Value, at: string, rule: string, depth: number): void {
    const hash = ref.indexOf("#");
    const file = decodeURIComponent(hash < 0 ? ref : ref.slice(0, hash)).replace(/^(tidegate:\/\/)?\/+|\.json$/g, "");
    const target = file ? set.collections[file] : document;
    const pointer = hash < 0 ? "" : ref.slice(hash + 1);
    const node = lookup(target, pointer);
    if (node === undefined || target === undefined) unsure = true; // an anchor, or a name of its own
    else check(target, node, v, at, `${rule}/$ref`, depth + 1);
  }

  type No = (keyword: string, message: string) => void;

  function object(document: JSONSchema, s: Node, v: Json, at: string, rule: string, depth: number, no: No): void {
    const names = Object.keys(v).filter((name) => v[name] !== undefined);
    const lacking = (wanted: unknown): string[] =>
      Array.isArray(wanted) ? wanted.filter((name: string) => !names.includes(name)).sort() : [];
    const lacks = (missing: string[], keyword: string, when: string) => {
      if (missing[0] !== undefined) says(child(at, missing[0]), `${rule}/${keyword} ${missing.join()}`, `must not be missing${when}`);
    };
    lacks(lacking(s["required"]), "required", "");
    for (const [name, wanted] of Object.entries(s["dependentRequired"] ?? {})) {
      if (names.includes(name)) lacks(lacking(wanted), "dependentRequired", ` if ${JSON.stringify(name)} is there`);
    }
    for (const [name, inner] of Object.entries(s["dependentSchemas"] ?? {})) {
      if (names.includes(name)) check(document, inner, v as Value, at, `${rule}/dependentSchemas/${name}`, depth + 1);
    }
    if (names.length < s["minProperties"]) no("minProperties", "breaks the schema: minProperties");
    if (names.length > s["maxProperties"]) no("maxProperties", "breaks the schema: maxProperties");
    const extra: string[] = [];
    for (const name of names) {
      const value = v[name] as Value;
      const inside = (inner: unknown, keyword: string) => check(document, inner, value, child(at, name), `${rule}/${keyword}`, depth + 1);
      let known = false;
      if (Object.hasOwn(s["properties"] ?? {}, name)) {
        known = true;
        inside(s["properties"][name], `properties/${name}`);
      }
      for (const [pattern, inner] of Object.entries(s["patternProperties"] ?? {})) {
        const match = matches(pattern, name);
        known ||= match !== false;
        if (match === undefined) unsure = true;
        else if (match) inside(inner, `patternProperties/${pattern}`);
      }
      check(document, s["propertyNames"], name, at, `${rule}/propertyNames`, depth + 1);
      if (known) continue;
      if (s["additionalProperties"] === false) extra.push(name);
      else inside(s["additionalProperties"], "additionalProperties");
    }
    extra.sort();
    if (extra[0] !== undefined) says(child(at, extra[0]), `${rule}/additionalProperties ${extra.join()}`, "is no field of this collection");
  }

  function array(document: JSONSchema, s: Node, v: readonly Value[], at: string, rule: string, depth: number, no: No): void {
    if (v.length < s["minItems"]) no("minItems", `must have at least ${s["minItems"]} elements`);
    if (v.length > s["maxItems"]) no("maxItems", `must have at most ${s["maxItems"]} elements`);
    if (s["uniqueItems"] === true && v.some((each, i) => v.slice(0, i).some((other) => same(each, other))))
      no("uniqueItems", "must not hold the same element twice");
    const prefix: unknown[] = s["prefixItems"] ?? [];
    if (Array.isArray(s["items"])) unsure = true;
    else v.forEach((each, i) => check(document, i < prefix.length ? prefix[i] : s["items"], each, child(at, i), `${rule}/items`, depth + 1));
    if ("contains" in s) {
      const all = v.map((each) => fits(document, s["contains"], each, depth + 1));
      const may = all.filter((fit) => fit !== false).length;
      const sure = all.filter((fit) => fit === true).length;
      if (may > sure) unsure = true;
      if (may < (s["minContains"] ?? 1)) {
        const before = found.length;
        v.forEach((each, i) => check(document, s["contains"], each, child(at, i), `${rule}/contains`, depth + 1));
        if (found.length === before) no("contains", "breaks the schema: contains");
      }
      if (sure > s["maxContains"]) no("maxContains", "breaks the schema: maxContains");
    }
  }

  function number(s: Node, v: number, no: No): void {
    if (v < s["minimum"]) no("minimum", `must be at least ${s["minimum"]}`);
    if (v > s["maximum"]) no("maximum", `must be at most ${s["maximum"]}`);
    if (v <= s["exclusiveMinimum"]) no("exclusiveMinimum", `must be more than ${s["exclusiveMinimum"]}`);
    if (v >= s["exclusiveMaximum"]) no("exclusiveMaximum", `must be less than ${s["exclusiveMaximum"]}`);
    const times = v / s["multipleOf"];
    const exact = Number.isInteger(v) && Number.isInteger(s["multipleOf"]);
    // Decimal fractions are not exact here; the gateway's are.
    if (exact ? v % s["multipleOf"] !== 0 : Math.abs(times - Math.round(times)) > 1e-9 * Math.max(1, Math.abs(times))) no("multipleOf", `must be a multiple of ${s["multipleOf"]}`);
  }

  /** Characters are code points. Of bytes only the length in base64 is known. */
  function string(s: Node, v: string | number, no: No): void {
    const length = typeof v === "number" ? v : "minLength" in s || "maxLength" in s ? [...v].length : 0;
    if (length < s["minLength"]) no("minLength", `must have at least ${s["minLength"]} characters`);
    if (length > s["maxLength"]) no("maxLength", `must have at most ${s["maxLength"]} characters`);
    if (typeof v !== "string" || typeof s["pattern"] !== "string") return;
    const match = matches(s["pattern"], v);
    if (match === undefined) unsure = true;
    else if (!match) no("pattern", `must match the pattern ${s["pattern"]}`);
  }

  check(document, schema, value, path, "", nesting);
  return { found, unsure };
}

const patterns = new Map<string, RegExp | undefined>();

/**
 * Whether a string matches a pattern; undefined where this language and the
 * gateway's may differ: syntax, line ends, and which characters are spaces.
 */
function matches(pattern: string, s: string): boolean | undefined {
  if (!patterns.has(pattern)) {
    let compiled: RegExp | undefined;
    try {
      compiled = new RegExp(pattern, "u");
    } catch {
      // the gateway's language has more
    }
    patterns.set(pattern, compiled);
  }
  if (/[\r\u2028\u2029]/.test(s) || (/\\s/i.test(pattern) && /[^\x00-\x7f]|\v/.test(s))) return undefined;
  return patterns.get(pattern)?.test(s);
}
