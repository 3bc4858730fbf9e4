import { Collection } from "./collection.js";
import type { Engine, EngineEvent, SpaceData, SpaceOptions } from "./engine.js";
import { TideError } from "./error.js";
import { conflictsOf, gone, kept, rejectedOf } from "./inbox.js";
import type { Conflict, RejectedMutation } from "./inbox.js";
import { alive } from "./merge/record.js";
import type { Rec } from "./merge/index.js";
import { canonicalValue } from "./protocol/canonical.js";
import { checkSpaceName } from "./protocol/names.js";
import { conflictCollection } from "./protocol/op.js";
import type { DevicePresence, Mutation, Op, RecordState, Verdict } from "./protocol/index.js";
import { createTable } from "./query/index.js";
import type { Table } from "./query/index.js";
import { rowOf } from "./rows.js";
import type { Collections, Row } from "./rows.js";
import type { SpaceStatus } from "./status.js";
import { Making } from "./tx.js";
import type { Desk, Rules, Tx } from "./tx.js";
import { keyText, tell, watchable } from "./watch.js";
import type { Key, Watchable } from "./watch.js";
import { Rejected, quiet, rejectedOps } from "./write.js";
import type { Write } from "./write.js";

/** A device that shows its presence in a space. */
export interface Person {
  readonly device: string;
  readonly user: string;
  /** What it shows. */
  readonly value: any;
}

/** Who is there: ephemeral, never stored, the latest wins. */
export interface Presence extends Watchable<readonly Person[]> {
  /** Shows a value to the others while the client is connected: a cursor, a selection. Undefined takes it away. */
  set(value: unknown): void;
}

/** A mutation that was just made in this tab, for undo. */
export interface Made {
  readonly mutation: Mutation;
  /** The records it edits as they looked before it. */
  readonly before: ReadonlyMap<string, Rec | undefined>;
  /** What the maker said of it. */
  readonly mark: unknown;
  readonly write: Write;
}

/** Undo and redo of a space's own edits; made by the package's ./undo. */
export interface Undo {
  /** Takes back the newest edit of this tab that was not taken back; undefined if there is none. */
  undo(): Write | undefined;
  /** Makes the edit that was taken back last anew. */
  redo(): Write | undefined;
}

/** What a space needs from its client. */
export interface SpaceHost {
  readonly engine: Engine;
  readonly rules: Rules | undefined;
  readonly makeUndo: ((space: Space<any>) => Undo) | undefined;
  /** The last holder has let go. */
  closed(space: Space<any>): void;
}

/**
 * An app's view of one space: records to read and watch, mutations to make, and
 * the lists of what wants the user's attention.
 */
export class Space<S extends Collections = any> {
  /** Collisions that wait for a person: open ones, then settled ones that this device lost. */
  readonly conflicts: Watchable<readonly Conflict[]>;
  /** Mutations that the gateway rejected, oldest first. They stay until they are retried or discarded. */
  readonly rejected: Watchable<readonly RejectedMutation[]>;
  readonly presence: Presence;
  /** Resolves once the space can be read; rejects with a TideError if the store cannot be opened. */
  readonly ready: Promise<void>;

  readonly #host: SpaceHost;
  readonly #tables = new Map<string, Table<any>>();
  readonly #listeners = new Set<() => void>();
  readonly #made = new Set<(made: Made) => void>();
  #holders = 0;
  #undo: Undo | undefined;

  constructor(
    host: SpaceHost,
    readonly name: string,
    options: SpaceOptions,
  ) {
    checkSpaceName(name);
    this.#host = host;
    const { engine } = host;
    this.ready = engine.open(name, options).then(() => this.#changed("all"));
    this.ready.catch(() => {}); // the status says it too
    const watch = (changed: () => void) => this.#watch(changed);
    this.conflicts = watchable(conflictsOf(this), [], watch);
    this.rejected = watchable(rejectedOf(this), [], watch);
    const people = kept<DevicePresence, Person>(
      () => this.data?.present,
      (p) => ({ ...p.author, value: p.value }),
    );
    this.presence = {
      ...watchable(people, [], watch),
      set: (value) => engine.setPresence(name, value === undefined ? undefined : canonicalValue(value)),
    };
    this.#undo = host.makeUndo?.(this); // from the first edit on
  }

  /** What the engine knows of the space; undefined while it is being loaded. */
  get data(): SpaceData | undefined {
    return this.#host.engine.space(this.name);
  }

  get rules(): Rules | undefined {
    return this.#host.rules;
  }

  /** The engine that runs the core. */
  get engine(): Engine {
    return this.#host.engine;
  }

  /** The records of one kind. */
  collection<C extends keyof S & string>(name: C): Collection<S, C> {
    return new Collection(this, name);
  }

  /** The rows of a collection. */
  table(collection: string): Table<any> {
    let table = this.#tables.get(collection);
    if (!table) {
      table = createTable<any>({
        ids: () => this.data?.view.ids(collection) ?? [],
        row: (id) => this.#row(this.data?.view.look({ collection, id })),
        ready: () => this.data !== undefined,
      });
      this.#tables.set(collection, table);
    }
    return table;
  }

  /**
   * Makes the edits of `edit` as one mutation, which travels and is judged as one,
   * and shows it in the view before it returns. What `edit` throws, or an edit that
   * cannot be, undoes all of it and is thrown. `mark` is for the listeners of
   * {@link onMutate}.
   */
  mutate(edit: (tx: Tx<S>) => void, mark?: unknown): Write {
    return this.run(() => {
      const tx = new Making(this.#desk());
      edit(tx as Tx<S>);
      return this.submit(tx.finish(), undefined, mark);
    });
  }

  /** Makes a mutation of ops that were made before, as {@link mutate} does. */
  mutateOps(ops: readonly Op[], mark?: unknown): Write {
    return this.run(() => this.#submitOps(ops, undefined, mark));
  }

  /** Takes back this tab's newest edit. Needs `undo` in the client's options. */
  undo(): Write | undefined {
    return this.#undoing().undo();
  }

  /** Makes the edit that was taken back last anew. */
  redo(): Write | undefined {
    return this.#undoing().redo();
  }

  /** Calls `listener` with each mutation of this tab, after it is in the view; returns how to stop that. */
  onMutate(listener: (made: Made) => void): () => void {
    this.#made.add(listener);
    return () => this.#made.delete(listener);
  }

  /** The space's condition: the same object until it changes; undefined while it is being loaded. */
  get status(): SpaceStatus | undefined {
    return this.data?.status;
  }

  /** Calls `listener` with the space's condition, at once and after each change. */
  onStatus(listener: (status: SpaceStatus) => void): () => void {
    return watchable(
      () => this.status,
      undefined as never,
      (changed) => this.#watch(changed),
    ).subscribe(listener);
  }

  /** Resolves once the space has confirmed the commit `seq`. */
  waitFor(seq: number): Promise<void> {
    return this.until((data) => data.status.cursor.seq >= seq);
  }

  /** Resolves once no mutation of the space waits for a verdict, and what was judged is confirmed. */
  drained(): Promise<void> {
    return this.until((data) => [...data.view.touched()].length === 0 && data.status.pending === 0);
  }

  /** Resolves once `holds` is true of the space; rejects with a TideError `closed` if the client ends before. */
  until(holds: (data: SpaceData) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const { data } = this;
        const done = data !== undefined && holds(data);
        const over = this.engine.status().lastError?.code === "closed";
        if (!done && !over) return;
        for (const stop of stops) stop();
        if (done) resolve();
        else reject(new TideError("closed", "the client was closed"));
      };
      const stops = [this.#watch(look), this.engine.watch(look)];
      look();
    });
  }

  /** The confirmed state, predictions left out. */
  confirmed(): RecordState[] {
    return [...(this.data?.view.records.values() ?? [])].flatMap((records) => [...records.values()]);
  }

  /**
   * The digest of the confirmed state, in hexadecimal: two devices whose cursors
   * are equal, and who see the same, have the same.
   */
  async stateHash(): Promise<string> {
    const states = this.confirmed(); // as they are now
    const { stateHash } = await import("./tabs/lead.js");
    return stateHash(states);
  }

  /** Makes an id: ids made later sort later. */
  newID(): string {
    return this.engine.newID();
  }

  /** Notes one more who needs the space; called by Client.space. */
  hold(): this {
    this.#holders++;
    return this;
  }

  /** Lets go of the space: one call for each Client.space. The last one ends the sync, once the queue has drained. */
  close(): void {
    if (this.#holders > 0 && --this.#holders === 0) this.#host.closed(this);
  }

  /** Runs what writes: now, or once the space is loaded. */
  run(write: () => Write): Write {
    if (this.data) return write();
    const later = this.ready.then(write);
    const durable = later.then((w) => w.durable);
    durable.catch(() => {});
    return { local: later.then((w) => w.local), durable };
  }

  /** Hands a mutation to the engine. */
  submit(mutation: Mutation, replaces?: number, mark?: unknown): Write {
    if (mutation.ops.length === 0) return quiet({ local: Promise.resolve(), durable: Promise.resolve(nothingDone) });
    const before = new Map<string, Rec | undefined>();
    if (this.#made.size > 0) for (const op of mutation.ops) before.set(keyText(op), this.#look(op));
    const { local, durable } = this.engine.mutate(this.name, mutation, replaces);
    const write = quiet({
      local,
      durable: durable.then(({ verdict, entry }) => {
        if (verdict.outcome !== "rejected") return verdict;
        throw new Rejected(
          verdict,
          () => this.retry(entry ?? -1),
          () => this.discard(entry ?? -1),
        );
      }),
    });
    tell(this.#made, { mutation, before, mark, write });
    return write;
  }

  /** Makes ops anew in place of a rejected entry's, all of them as they were unless `edit` makes others. */
  retry(order: number, edit?: (tx: Tx<S>) => void): Write {
    return this.run(() => {
      const entry = this.data?.rejected.find((e) => e.order === order);
      if (!entry) throw gone();
      if (!edit) return this.#submitOps(rejectedOps(entry.mutation, entry.verdict), order);
      const tx = new Making(this.#desk());
      edit(tx as Tx<S>);
      return this.submit(tx.finish(), order);
    });
  }

  /** Takes an entry off the list of rejections. */
  discard(order: number): void {
    if (!this.engine.discard(this.name, order)) throw gone();
  }

  /** Told by the client of what the engine tells. */
  told(event: EngineEvent & { kind: "space" }): void {
    this.#changed(event.changes.keys);
  }

  #changed(keys: readonly Key[] | "all"): void {
    const ids = new Map<string, Set<string>>();
    for (const { collection, id } of keys === "all" ? [] : keys) {
      if (!this.#tables.has(collection)) continue;
      const set = ids.get(collection);
      if (set) set.add(id);
      else ids.set(collection, new Set([id]));
    }
    for (const [collection, table] of this.#tables) {
      if (keys === "all") table.changed();
      else if (ids.has(collection)) table.changed(ids.get(collection));
    }
    tell(this.#listeners);
  }

  #watch(changed: () => void): () => void {
    const own = () => changed();
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  /** The row of a record that need not be the present one. */
  #row(record: Rec | undefined): Row<any> | undefined {
    const { data, rules } = this;
    if (!data || !record || !alive(record)) return undefined;
    const { collection, id } = record;
    const edits = data.view.state(record);
    return rowOf(
      record,
      {
        _pending: edits !== "durable",
        _state: edits,
        _conflict:
          record.fields.some((f) => f.field === conflictCollection) || data.conflicts.some((c) => c.id === id && c.collection === collection),
      },
      (path) => rules?.policy(collection, path) === "list",
    );
  }

  #look(key: Key): Rec | undefined {
    return this.data?.view.look(key);
  }

  #desk(): Desk {
    const { engine, rules } = this.#host;
    return {
      rules,
      base: this.data?.base ?? 0,
      now: () => engine.now(),
      newID: () => engine.newID(),
      look: (key) => this.#look(key),
      kinds: this.data?.view.kinds,
      row: (record) => this.#row(record),
    };
  }

  #submitOps(ops: readonly Op[], replaces?: number, mark?: unknown): Write {
    const tx = new Making(this.#desk());
    for (const op of ops) tx.again(op);
    return this.submit(tx.finish(), replaces, mark);
  }

  #undoing(): Undo {
    if (!this.#undo) throw new TideError("invalid", 'undo is not set up: give createClient {undo} from "@tidegate/client/undo"');
    return this.#undo;
  }
}

const nothingDone: Verdict = { counter: 0, seq: 0, outcome: "applied", code: "", message: "", field: "", ops: [] };
