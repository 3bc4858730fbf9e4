// The view is the confirmed state with the pending mutations predicted on top, in
// the order in which they were made. Only records that have pending ops and are
// looked at are kept a second time, in the overlay. The core and the replica of a
// following tab use the same one.
import { predict } from "./merge/predict.js";
import { alive, valueOf } from "./merge/record.js";
import type { Kinds, Rec } from "./merge/index.js";
import { conflictCollection } from "./protocol/op.js";
import type { Mutation, Op, RecordState } from "./protocol/index.js";
import type { RowState } from "./rows.js";
import { keyOf, keyText } from "./watch.js";
import type { Key } from "./watch.js";

/** A mutation that is predicted in the view. */
export interface Predicted {
  mutation: Mutation;
  /** The server has judged it; it leaves when the cursor has reached leaveAt. */
  judged: boolean;
  leaveAt: number;
  /** True if leaveAt is the seq of the mutation's own commit, not just a bound. */
  exact: boolean;
  /** Pushed on the present connection. */
  sent: boolean;
  /** Set by predict. */
  effects?: readonly Effect[];
}

/** What a pending op does to one record. */
interface Effect {
  readonly text: string;
  readonly key: Key;
  readonly op: Op;
}

const nothing: readonly Predicted[] = [];

export class View {
  /** Confirmed records, living ones only, by collection and id. Change them by {@link set}. */
  readonly records = new Map<string, Map<string, Rec>>();
  readonly #overlay = new Map<string, Rec | undefined>();
  readonly #touched = new Map<string, Predicted[]>();

  /** `changed` is told the text of each key that looks different, or may. */
  constructor(
    readonly changed: (key: string) => void,
    /** How the arrays of a new record will be laid out, where the schema is known. */
    readonly kinds?: Kinds,
  ) {}

  /** The confirmed record, undefined if there is none. */
  confirmed(key: Key): Rec | undefined {
    return this.records.get(key.collection)?.get(key.id);
  }

  /** Puts a confirmed record in place; undefined, or a dead one, removes it. `text` is the key's, if it is known. */
  set(key: Key, record: Rec | undefined, text = keyText(key)): void {
    this.load(key, record);
    this.refresh(text);
  }

  /** `set` while nobody has looked yet. */
  load(key: Key, record: Rec | undefined): void {
    let collection = this.records.get(key.collection);
    if (alive(record)) {
      if (!collection) this.records.set(key.collection, (collection = new Map()));
      collection.set(key.id, record as Rec);
    } else if (collection?.delete(key.id) && collection.size === 0) {
      this.records.delete(key.collection);
    }
  }

  /** The record with its pending mutations; undefined or dead if there is none. */
  look(key: Key): Rec | undefined {
    const confirmed = this.confirmed(key);
    if (this.#touched.size === 0) return confirmed;
    const text = keyText(key);
    const list = this.#touched.get(text);
    if (!list) return confirmed;
    if (this.#overlay.has(text)) return this.#overlay.get(text);
    let record = confirmed;
    for (const p of list) {
      // The confirmed record may have it already, though the cursor has not come so far.
      if (p.exact && (confirmed?.version ?? 0) >= p.leaveAt) continue;
      for (const e of p.effects ?? []) if (e.text === text) record = predict(record, e.op, this.kinds);
    }
    this.#overlay.set(text, record);
    return record;
  }

  /** What the user sees of a record; undefined if there is none. */
  get(key: Key): RecordState | undefined {
    const record = this.look(key);
    return alive(record) ? record : undefined;
  }

  /** The pending mutations of a record, oldest first. */
  pending(key: Key): readonly Predicted[] {
    return (this.#touched.size > 0 && this.#touched.get(keyText(key))) || nothing;
  }

  /** How far the edits that are shown in a record are. */
  state(key: Key): RowState {
    let state: RowState = "durable";
    for (const p of this.pending(key)) {
      if (!p.judged && !p.sent) return "local";
      if (!p.judged) state = "sent";
    }
    return state;
  }

  /** The ids of a collection's records, and of some that are not (any more). */
  *ids(collection: string): Iterable<string> {
    const confirmed = this.records.get(collection);
    if (confirmed) yield* confirmed.keys();
    for (const text of this.#touched.keys()) {
      const key = keyOf(text);
      if (key.collection === collection && !confirmed?.has(key.id)) yield key.id;
    }
  }

  /** Adds a mutation to the view, as the newest. */
  predict(p: Predicted): void {
    p.effects = this.#effects(p.mutation);
    for (const { text, key, op } of p.effects) {
      this.#overlay.set(text, predict(this.look(key), op, this.kinds));
      const list = this.#touched.get(text);
      if (!list) this.#touched.set(text, [p]);
      else if (list.at(-1) !== p) list.push(p);
      this.changed(text);
    }
  }

  /** Takes a mutation out of the view. */
  unpredict(p: Predicted): void {
    for (const { text } of p.effects ?? []) {
      const list = this.#touched.get(text);
      const at = list?.indexOf(p) ?? -1;
      if (at >= 0) list?.splice(at, 1);
      if (list?.length === 0) this.#touched.delete(text);
      this.refresh(text);
    }
  }

  /** Notes that the records of a mutation look different: `refresh` for all of them, or their marks alone. */
  refreshAll(p: Predicted, marksOnly = false): void {
    for (const { text } of p.effects ?? []) {
      if (marksOnly) this.changed(text);
      else this.refresh(text);
    }
  }

  /**
   * Notes that a record looks different. The prediction is made anew when somebody
   * looks: a long queue on one record is not replayed for each commit.
   */
  refresh(text: string): void {
    this.#overlay.delete(text);
    this.changed(text);
  }

  /** The texts of all keys that have pending mutations. */
  touched(): Iterable<string> {
    return this.#touched.keys();
  }

  /** All keys of confirmed records, in no order. */
  *keys(): Iterable<Key> {
    for (const [collection, records] of this.records) for (const id of records.keys()) yield { collection, id };
  }

  /**
   * Resolves a mutation's ops into effects on records. Only a resolve has two: it
   * closes the conflict and sets the field that the conflict is about.
   */
  #effects(mutation: Mutation): Effect[] {
    const effects: Effect[] = [];
    const add = (op: Op) => effects.push({ text: keyText(op), key: { collection: op.collection, id: op.id }, op });
    for (const op of mutation.ops) {
      if (op.kind !== "resolve") {
        add(op);
        continue;
      }
      const conflict = this.look(op);
      const text = (field: string) => {
        const value = valueOf(conflict, field);
        return typeof value === "string" ? value : "";
      };
      const [collection, id, field] = [text("collection"), text("id"), text("field")];
      add({ kind: "delete", collection: conflictCollection, id: op.id });
      if (!collection || !id || !field) continue;
      if (op.value === undefined) add({ kind: "unset", collection, id, field });
      else add({ kind: "set", collection, id, fields: [{ field, value: op.value }] });
    }
    return effects;
  }
}
