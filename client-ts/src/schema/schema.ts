import { TideError } from "../error.js";
import type { Rec } from "../merge/index.js";
import type { Mutation, Policy } from "../protocol/index.js";
import type { Rules } from "../tx.js";
import type { Key } from "../watch.js";
import { refusal } from "./check.js";

/** A JSON Schema: an object of keywords, or true for anything, or false for nothing. */
export type JSONSchema = boolean | { readonly [keyword: string]: unknown };

/**
 * A schema set as the gateway has it. `tidegate schema types DIR` writes one,
 * with the types of its collections.
 */
export interface SchemaSet {
  /** The set's version (default 1). It travels with each mutation. */
  readonly version?: number;
  /** The schemas by the names of their collections. */
  readonly collections: { readonly [collection: string]: JSONSchema };
}

/** A declared field: a leaf of a collection's schema. */
export interface Field {
  readonly path: string;
  readonly policy: Policy;
  /** What each value must satisfy; for a set or a list, what each element must. */
  readonly schema: JSONSchema | undefined;
  /** Without repetition: of x-merge-group, in byte order; empty without a group. */
  members: readonly string[];
}

/** One collection's part of a schema. */
export interface CollectionRules {
  readonly document: JSONSchema;
  /** By path. */
  readonly fields: Map<string, Field>;
  /** By path: the schemas of the objects whose properties are fields of their own; "" is the record's. */
  readonly objects: Map<string, JSONSchema>;
}

/** What a client knows of a schema: which edits fit it. `S` carries the types of the collections. */
export interface Schema<S = any> extends Rules<S> {
  readonly set: SchemaSet;
  /** By name; undefined for a collection that the set does not have. */
  collection(name: string): CollectionRules | undefined;
}

/** A chain of $ref goes no further. */
const maxRefs = 16;

/** Object schemas may refer to each other; fields are searched no deeper. */
const maxDepth = 24;

/**
 * Makes a schema of a set, so that edits are checked before they enter the queue:
 * the first "no" comes while the user still looks at the field, offline too. The
 * gateway has the last word: what only it can judge (x-check and x-merge-ask,
 * which are CEL expressions, keywords of JSON Schema that depend on what others
 * evaluated, schemas of older drafts) is let through here.
 *
 * The set is taken to be sound; `tidegate schema check` says whether it is.
 */
export function defineSchema<S = any>(set: SchemaSet): Schema<S> {
  const parsed = new Map<string, CollectionRules>();
  const collection = (name: string) => {
    let rules = parsed.get(name);
    const document = Object.hasOwn(set.collections, name) ? set.collections[name] : undefined;
    if (!rules && document !== undefined) parsed.set(name, (rules = parse(document)));
    return rules;
  };
  const schema: Schema<S> = {
    set,
    version: set.version ?? 1,
    collection,
    policy: (name, path) => collection(name)?.fields.get(path)?.policy,
    isObject: (name, path) => path !== "" && (collection(name)?.objects.has(path) ?? false),
    group: (name, path) => collection(name)?.fields.get(path)?.members ?? [],
    check(mutation: Mutation, look: (key: Key) => Rec | undefined) {
      const why = refusal(schema, mutation, look);
      if (why) throw new TideError("invalid", why.message, { field: why.field, cause: why });
    },
  };
  return schema;
}

/** A subschema's keywords together with those that it refers to; a keyword beside a $ref goes before the one referred to. */
function keywords(document: JSONSchema, node: unknown): { values: Record<string, unknown>; from: Map<string, JSONSchema> } {
  const values: Record<string, unknown> = {};
  const from = new Map<string, JSONSchema>();
  for (let i = 0; i < maxRefs && typeof node === "object" && node; i++) {
    for (const [key, value] of Object.entries(node)) {
      if (from.has(key)) continue;
      values[key] = value;
      from.set(key, node as JSONSchema);
    }
    const target = (node as { $ref?: unknown }).$ref;
    if (typeof target !== "string" || target[0] !== "#") break;
    node = lookup(document, target.slice(1));
  }
  return { values, from };
}

/** Follows a JSON pointer as it stands in a URL; undefined if there is nothing. */
export function lookup(document: unknown, pointer: string): unknown {
  if (pointer && pointer[0] !== "/") return undefined; // an anchor
  let node = document;
  for (const token of decodeURIComponent(pointer).split("/").slice(1)) {
    const name = token.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof node !== "object" || !node || !Object.hasOwn(node, name)) return undefined;
    node = (node as Record<string, unknown>)[name];
  }
  return node;
}

function parse(document: JSONSchema): CollectionRules {
  const fields = new Map<string, Field>();
  const objects = new Map<string, JSONSchema>();
  const groups = new Map<string, Field[]>();

  function object(node: unknown, prefix: string, depth: number): void {
    const { values, from } = keywords(document, node);
    objects.set(prefix, prefix ? (from.get("properties") ?? true) : document);
    for (const [name, child] of Object.entries(values["properties"] ?? {})) {
      property(child, prefix ? `${prefix}.${name}` : name, depth);
    }
  }

  function property(node: unknown, path: string, depth: number): void {
    const { values } = keywords(document, node);
    const types = [values["type"]].flat();
    if (types.length === 1 && types[0] === "object" && "properties" in values && !("x-merge" in values) && depth < maxDepth) {
      object(node, path, depth + 1);
      return;
    }
    const policy = (values["x-merge"] ?? "lww") as Policy;
    const schema = policy === "set" || policy === "list" ? itemsOf(document, node) : (node as JSONSchema);
    const field: Field = { path, policy, schema, members: [] };
    fields.set(path, field);
    const group = values["x-merge-group"];
    if (typeof group === "string") groups.set(group, [...(groups.get(group) ?? []), field]);
  }

  object(document, "", 0);
  for (const members of groups.values()) {
    const paths = members.map((field) => field.path).sort();
    for (const field of members) field.members = paths;
  }
  return { document, fields, objects };
}

/** What each element of an array must satisfy; undefined for anything. */
function itemsOf(document: JSONSchema, node: unknown): JSONSchema | undefined {
  for (let i = 0; i < maxRefs && typeof node === "object" && node; i++) {
    const { items, prefixItems, $ref } = node as Record<string, unknown>;
    if (items !== undefined && !Array.isArray(items) && prefixItems === undefined) return items as JSONSchema;
    if (typeof $ref !== "string" || $ref[0] !== "#") return undefined;
    node = lookup(document, $ref.slice(1));
  }
  return undefined;
}
