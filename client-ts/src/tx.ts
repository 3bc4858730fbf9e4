// Makes one mutation out of the app's edits.
import { editRecord } from "./edit.js";
import type { Draft } from "./edit.js";
import { TideError, tideError } from "./error.js";
import { predict } from "./merge/predict.js";
import { alive, valueOf } from "./merge/record.js";
import type { Kinds, Rec } from "./merge/index.js";
import { canonicalValue, valueSize } from "./protocol/canonical.js";
import { maxWas } from "./protocol/limits.js";
import { checkName } from "./protocol/names.js";
import { conflictCollection } from "./protocol/op.js";
import type { FieldValue, Mutation, Op, Policy, Precondition, Value } from "./protocol/index.js";
import { isObject } from "./rows.js";
import type { Collections, Given, Row } from "./rows.js";
import { keyText } from "./watch.js";
import type { Key } from "./watch.js";

/** What the client knows of a schema; see the package's schema functions. `S` carries the types. */
export interface Rules<S = any> {
  /** Type only. */
  readonly collections?: S;
  readonly version: number;
  /** The policy of a field; undefined if it is not declared. */
  policy(collection: string, path: string): Policy | undefined;
  /** Whether the properties of the object at the path are fields of their own. */
  isObject(collection: string, path: string): boolean;
  /** The members of the field's x-merge-group in byte order; empty if it has none. */
  group(collection: string, path: string): readonly string[];
  /** Throws a TideError `invalid` for a mutation that the schema refuses. `look` gives records as they are before it. */
  check(mutation: Mutation, look: (key: Key) => Rec | undefined): void;
}

/** Where a mutation is made. */
export interface Desk {
  readonly rules: Rules | undefined;
  readonly base: number;
  now(): number;
  newID(): string;
  look(key: Key): Rec | undefined;
  /** How arrays of a new record will be laid out. */
  readonly kinds: Kinds | undefined;
  /** The row of a record as it would be. */
  row(record: Rec | undefined): Row<any> | undefined;
}

/**
 * Makes one mutation of several edits, which travel and are judged as one. It is
 * valid inside the function given to mutate, and sees its own edits. Throwing
 * undoes all of it.
 */
export interface Tx<S extends Collections = any> {
  /** A record as the mutation so far would leave it. */
  get<C extends keyof S & string>(collection: C, id: string): Row<S[C]> | undefined;
  /** Makes a record and returns its id, a new one unless given. The gateway rejects it with `exists` if it is there. */
  create<C extends keyof S & string>(collection: C, fields: Given<S[C]>, id?: string): string;
  /** Edits a record that exists. An update never creates: the gateway rejects it with `missing` or `deleted`. */
  update<C extends keyof S & string>(collection: C, id: string, edit: (draft: Draft<S[C]>) => void): void;
  delete(collection: keyof S & string, id: string): void;
  /** Brings a deleted record back as it was. */
  undelete(collection: keyof S & string, id: string): void;
  /** Closes an open conflict, giving its field the value; undefined removes the field. */
  resolve(conflict: string, value: unknown): void;
  /** Asks for all or nothing: rejected with `stale` if any edit would lose to a concurrent one. */
  whole(): void;
  /** Adds a precondition; if it does not hold, the mutation is rejected with `precondition`. */
  require(precondition: Precondition): void;
  /** Demands that nobody else has changed the record, or one field of it, since this device saw it. */
  requireUnchanged(collection: keyof S & string, id: string, field?: string): void;
  /** Demands that the record, or one field of it, does not exist. */
  requireAbsent(collection: keyof S & string, id: string, field?: string): void;
}

/** The mutation that is being made, for the code that makes its ops. */
export class Making implements Tx {
  readonly ops: Op[] = [];
  readonly #preconditions: Precondition[] = [];
  #whole = false;
  /** Records that this mutation has edited. */
  readonly #local = new Map<string, Rec | undefined>();

  constructor(readonly desk: Desk) {}

  /** The view with this mutation's own edits. */
  look(key: Key): Rec | undefined {
    const text = keyText(key);
    return this.#local.has(text) ? this.#local.get(text) : this.desk.look(key);
  }

  /** The same, undefined if there is none. */
  seen(key: Key): Rec | undefined {
    const record = this.look(key);
    return alive(record) ? record : undefined;
  }

  get(collection: string, id: string): Row<any> | undefined {
    return this.desk.row(this.look({ collection, id }));
  }

  create(collection: string, fields: object, id = this.desk.newID()): string {
    const flat = new Map<string, Value>();
    for (const [name, value] of Object.entries(fields)) this.flatten(collection, name, value, flat);
    this.add({ kind: "create", collection, id, fields: [...flat].sort(byName).map(([field, value]) => ({ field, value })) });
    return id;
  }

  update(collection: string, id: string, edit: (draft: any) => void): void {
    editRecord(this, { collection, id }, edit);
  }

  delete(collection: string, id: string): void {
    this.add({ kind: "delete", collection, id });
  }

  undelete(collection: string, id: string): void {
    this.add({ kind: "undelete", collection, id });
  }

  resolve(conflict: string, value: unknown): void {
    this.add({
      kind: "resolve",
      collection: conflictCollection,
      id: conflict,
      value: value === undefined ? undefined : this.value("the resolution", value),
    });
  }

  whole(): void {
    this.#whole = true;
  }

  require(precondition: Precondition): void {
    this.#preconditions.push(precondition);
  }

  requireUnchanged(collection: string, id: string, field = ""): void {
    this.require({ collection, id, field, version: Math.max(this.desk.base, 1) });
  }

  requireAbsent(collection: string, id: string, field = ""): void {
    this.require({ collection, id, field, version: 0 });
  }

  /** Adds an op and predicts it. */
  add(op: Op): void {
    const { kind, collection, id } = op;
    guard("", () => {
      if (kind !== "resolve") checkName("collection name", collection);
      checkName("record id", id);
    });
    this.ops.push(op);
    this.#local.set(keyText(op), predict(this.look(op), op, this.desk.kinds));
  }

  /** Adds an op that was made before as one of now: what its author saw is what the view shows. */
  again(op: Op): void {
    if (op.kind === "set") op = { ...op, fields: op.fields.map((f) => ({ ...f, was: this.was(op, f.field) })) };
    else if (op.kind === "unset") op = { ...op, was: this.was(op, op.field) };
    this.add(op);
  }

  /** A copy of the app's value in the one form that values have. */
  value(about: string, value: unknown): Value {
    return guard(about, () => canonicalValue(value));
  }

  /**
   * Turns a field as the app wrote it into the fields that the schema declares:
   * objects that it declares become a field for each leaf.
   */
  flatten(collection: string, path: string, value: unknown, into: Map<string, Value>): void {
    if (value === undefined) return;
    if (isObject(value) && this.desk.rules?.isObject(collection, path)) {
      for (const [name, inner] of Object.entries(value)) this.flatten(collection, `${path}.${name}`, inner, into);
      return;
    }
    guard(path, () => checkName("field path", path));
    into.set(path, this.value(path, value));
  }

  /** What the user sees in a field, for the base of a conflict; left out if it is long. */
  was(key: Key, field: string): Value | undefined {
    return shortValue(valueOf(this.look(key), field));
  }

  finish(): Mutation {
    const { rules, base } = this.desk;
    const mutation: Mutation = {
      base,
      editTime: this.desk.now(),
      schemaVersion: rules?.version ?? 0,
      whole: this.#whole,
      preconditions: this.#preconditions,
      ops: this.ops,
    };
    rules?.check(mutation, (key) => this.desk.look(key));
    return mutation;
  }
}

/** Sets as one op: a field by itself, or all members of its group, those that were not given as they are now. */
export function setOps(tx: Making, key: Key, fields: ReadonlyMap<string, Value | undefined>): void {
  const done = new Set<string>();
  for (const [name, value] of [...fields].sort(byName)) {
    if (done.has(name)) continue;
    const members = tx.desk.rules?.group(key.collection, name) ?? [];
    if (members.length === 0 && value === undefined) {
      tx.add({ kind: "unset", ...key, field: name, was: tx.was(key, name) });
      continue;
    }
    const record = tx.look(key);
    tx.add({
      kind: "set",
      ...key,
      fields: (members.length ? members : [name]).map((field): FieldValue => {
        done.add(field);
        const next = fields.has(field) ? fields.get(field) : valueOf(record, field);
        return { field, value: next, was: tx.was(key, field) };
      }),
    });
  }
}

export function shortValue(value: Value | undefined): Value | undefined {
  return value === undefined || valueSize(value) > maxWas ? undefined : value;
}

function byName(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}

/** Runs what may refuse a value or a name, and says which field it was. */
function guard<T>(field: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    const cause = tideError(error, "invalid");
    throw new TideError("invalid", field && !cause.message.includes(field) ? `${field}: ${cause.message}` : cause.message, {
      field: field || undefined,
      cause: error,
    });
  }
}

/** How a schema lays out fields. */
export function kindsOf(rules: Rules): Kinds {
  return (collection, field) => {
    const policy = rules.policy(collection, field);
    return policy === "set" || policy === "list" ? policy : undefined;
  };
}
