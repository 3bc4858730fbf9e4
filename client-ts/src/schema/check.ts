import { alive, predict, valueOf } from "../merge/index.js";
import type { Rec } from "../merge/index.js";
import { conflictCollection } from "../protocol/index.js";
import type { FieldKind, FieldState, FieldValue, Mutation, Op, Policy, RejectCode, Value } from "../protocol/index.js";
import { put } from "../rows.js";
import { keyText } from "../watch.js";
import type { Key } from "../watch.js";
import type { CollectionRules, Field, Schema } from "./schema.js";
import type { Breach } from "./validate.js";
import { breaches } from "./validate.js";

/** Why an edit does not fit a schema: what the gateway would say. */
export interface Refusal {
  readonly code: RejectCode;
  /** The path of the field that it is about; empty for the record. */
  readonly field: string;
  /** Fit for a user; it names the field. */
  readonly message: string;
}

/** Which ops a field takes, by its policy. */
const instead: { readonly [policy in Policy]?: string } = {
  counter: "add to it",
  max: "raise it (max)",
  min: "lower it (min)",
  set: "add or remove elements",
  list: "insert, move, set or remove elements",
};

/** The policy that each kind of op needs; those that are not here need a plain field, or none. */
const needs: { readonly [kind in Op["kind"]]?: Policy } = {
  add: "counter",
  max: "max",
  min: "min",
  "set-add": "set",
  "set-remove": "set",
  "list-insert": "list",
  "list-move": "list",
  "list-set": "list",
  "list-remove": "list",
};

const quote = (s: string) => JSON.stringify(s);
const isPlain = (policy: Policy) => instead[policy] === undefined;
const isElements = (policy: Policy) => policy === "set" || policy === "list";

/**
 * Says why the gateway would reject a mutation, or one op of it; undefined if it
 * would not, as far as a device can tell. `look` gives records as they were before
 * it.
 */
export function refusal(schema: Schema, mutation: Mutation, look: (key: Key) => Rec | undefined): Refusal | undefined {
  const kinds = (collection: string, path: string): FieldKind => {
    const policy = schema.policy(collection, path);
    return policy === "set" || policy === "list" ? policy : "plain";
  };
  const records = new Map<string, { key: Key; before: Rec | undefined; now: Rec | undefined }>();
  for (const op of mutation.ops) {
    const why = op.kind === "resolve" ? resolveRefusal(schema, look(op), op.value) : opRefusal(schema, op);
    if (why) return why;
    const entry = records.get(keyText(op)) ?? { key: op, before: look(op), now: look(op) };
    if (op.collection !== conflictCollection) records.set(keyText(op), { ...entry, now: predict(entry.now, op, kinds) });
  }
  for (const { key, before, now } of records.values()) {
    const broken = recordBreaches(schema, key.collection, now);
    if (broken.length === 0) continue;
    // What was broken before does not count: it must be possible to mend a record step by step.
    const old = recordBreaches(schema, key.collection, before).map((breach) => breach.rule);
    const fresh = broken.find((breach) => !old.includes(breach.rule));
    if (fresh) return { code: "invalid", field: fresh.field, message: fresh.message };
  }
  return undefined;
}

/** Checks an op's names and values against the schema, whatever the record that it is about is. */
export function opRefusal(schema: Schema, op: Op): Refusal | undefined {
  const rules = schema.collection(op.collection);
  if (!rules) return { code: "name", field: "", message: `there is no schema for the collection ${quote(op.collection)}` };
  const check = new Check(schema, rules);
  switch (op.kind) {
    case "create":
      for (const { field, value } of op.fields) check.initial(field, value);
      break;
    case "set":
      check.set(op.fields);
      break;
    case "unset":
      check.unset(op.field);
      break;
    case "delete":
    case "undelete":
    case "resolve":
      break;
    default: {
      const rule = check.find(op.field);
      if (!rule) break;
      if (rule.policy !== needs[op.kind]) check.instead(rule, op.field);
      else if (op.kind === "add") check.number(rule, op.field, op.value);
      else if (op.kind === "max" || op.kind === "min") {
        check.number(rule, op.field, op.value);
        check.value(rule, op.field, op.value);
      } else if (op.kind === "set-add" || op.kind === "list-insert" || op.kind === "list-set") check.value(rule, op.field, op.value);
    }
  }
  return check.whole ?? check.refused;
}

function resolveRefusal(schema: Schema, conflict: Rec | undefined, value: Value | undefined): Refusal | undefined {
  const [collection, field] = [valueOf(conflict, "collection"), valueOf(conflict, "field")];
  const rules = schema.collection(String(collection));
  if (value === undefined || !rules || typeof field !== "string" || !field) return undefined;
  const check = new Check(schema, rules);
  const rule = check.find(field);
  if (rule && isPlain(rule.policy)) check.value(rule, field, value);
  return check.whole;
}

/** In what ways a record breaks its collection's schema; nothing for one that is not there. */
export function recordBreaches(schema: Schema, collection: string, record: Rec | undefined): Breach[] {
  const rules = schema.collection(collection);
  if (!rules || !alive(record)) return [];
  const root: Record<string, unknown> = {};
  for (const field of record.fields) if (field.field[0] !== "_") put(root, field.field, content(field));
  // A set or a list that nobody has added to is an empty array, where the object that it belongs to is there.
  for (const { path, policy } of rules.fields.values()) {
    if (!isElements(policy)) continue;
    const parts = path.split(".");
    const last = parts.pop() as string;
    const parent = parts.reduce<unknown>((inner, part) => (inner as Record<string, unknown> | undefined)?.[part], root) as Record<string, unknown> | undefined;
    if (parent && !Object.hasOwn(parent, last)) parent[last] = [];
  }
  return breaches({ set: schema.set, document: rules.document }, rules.document, root as Value, "");
}

function content(field: FieldState): Value | undefined {
  return field.kind === "plain" ? field.value : field.elements.map((element) => element.value);
}

/** The rule for a field that no schema declares. */
const undeclared: Field = { path: "", policy: "lww", schema: undefined, members: [] };

/** The checks of one op. */
class Check {
  /** The first reason to reject the op, and the first to reject the whole mutation. */
  refused: Refusal | undefined;
  whole: Refusal | undefined;

  constructor(
    readonly schema: Schema,
    readonly rules: CollectionRules,
  ) {}

  #refuse(code: RejectCode, field: string, message: string): void {
    this.refused ??= { code, field, message };
  }

  #refuseAll(code: RejectCode, field: string, message: string): void {
    this.whole ??= { code, field, message };
  }

  instead(rule: Field, path: string): void {
    this.#refuse("policy", path, `${quote(path)} is merged as ${rule.policy}: ${instead[rule.policy] ?? "set it"}`);
  }

  /** The rule for a field; undefined, and a refusal, if ops may not name it. */
  find(path: string): Field | undefined {
    const { fields, objects } = this.rules;
    const field = fields.get(path);
    if (field) return field;
    const dot = path.lastIndexOf(".");
    const parent = objects.get(path.slice(0, Math.max(dot, 0)));
    if (objects.has(path)) this.#refuse("policy", path, `${quote(path)} is made of several fields: set them one by one`);
    else if (parent === undefined) this.#refuseAll("name", path, `the field ${quote(path)} contains ".", which only joins the fields of declared objects`);
    else if (isClosed(parent, path.slice(dot + 1))) this.#refuseAll("schema", path, `${quote(path)} is no field of this collection`);
    else return undeclared;
    return undefined;
  }

  value(rule: Field, path: string, value: Value): void {
    const [broken] = breaches({ set: this.schema.set, document: this.rules.document }, rule.schema, value, path);
    if (broken) this.#refuseAll("schema", broken.field, broken.message);
  }

  number(rule: Field, path: string, value: Value): void {
    if (typeof value !== "number") this.#refuseAll("schema", path, `${quote(path)} is a ${rule.policy}: it takes numbers only`);
  }

  /** A field of a record to create: what a declared object holds becomes fields of its own. */
  initial(path: string, value: Value | undefined): void {
    if (value === undefined) return;
    if (path && this.rules.objects.has(path)) {
      if (typeof value !== "object" || !value || Array.isArray(value) || value instanceof Uint8Array) this.#refuseAll("schema", path, `${quote(path)} must be an object`);
      else for (const [name, inner] of Object.entries(value)) this.initial(`${path}.${name}`, inner as Value);
      return;
    }
    const rule = this.find(path);
    if (!rule) return;
    if (isElements(rule.policy)) {
      if (!Array.isArray(value)) this.#refuseAll("schema", path, `${quote(path)} must be an array`);
      else for (const element of value) this.value(rule, path, element as Value);
      return;
    }
    if (!isPlain(rule.policy)) this.number(rule, path, value);
    this.value(rule, path, value);
  }

  set(given: readonly FieldValue[]): void {
    const fields = [...given].sort((a, b) => (a.field < b.field ? -1 : 1));
    const found = given.map(({ field, value }) => {
      const rule = this.find(field);
      if (rule && !isPlain(rule.policy)) this.instead(rule, field);
      else if (rule && value !== undefined) this.value(rule, field, value);
      return rule;
    });
    const [first, second] = fields;
    if (found.includes(undefined) || this.refused || this.whole || !first) return;
    if (second && this.#members(first.field).length === 0) {
      this.#refuse("group", first.field, `${quote(first.field)} and ${quote(second.field)} do not belong to one group: set each by itself`);
    } else this.#group(first.field, fields.map((each) => each.field));
  }

  unset(path: string): void {
    const rule = this.find(path);
    if (rule && !isPlain(rule.policy)) this.instead(rule, path);
    else if (rule) this.#group(path, [path]);
  }

  #members(path: string): readonly string[] {
    return this.rules.fields.get(path)?.members ?? [];
  }

  /** A group's fields are set together, and nothing with them. */
  #group(path: string, given: readonly string[]): void {
    const members = this.#members(path);
    if (members.length === 0) return;
    const lack = members.filter((member) => !given.includes(member));
    const stranger = given.find((field) => !members.includes(field));
    if (lack.length > 0) this.#refuse("group", path, `${quote(path)} belongs together with ${lack.map(quote).join(", ")}: set them at once`);
    else if (stranger !== undefined) this.#refuse("group", stranger, `${quote(stranger)} does not belong to the group of ${quote(path)}: set it by itself`);
  }
}

/** Whether an object's schema surely forbids a property that it does not declare. */
function isClosed(schema: CollectionRules["document"], name: string): boolean {
  if (typeof schema !== "object" || schema["additionalProperties"] !== false) return false;
  return Object.keys(schema["patternProperties"] ?? {}).every((pattern) => {
    try {
      return !new RegExp(pattern, "u").test(name);
    } catch {
      return false;
    }
  });
}
