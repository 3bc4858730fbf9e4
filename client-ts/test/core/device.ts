// A core with a disk and a connection that do what the test says: nothing happens
// by itself.
import { Core } from "../../src/core.js";
import type { CoreConfig, Ready } from "../../src/core.js";
import { message } from "../../src/cursor.js";
import type { SpaceOptions } from "../../src/engine.js";
import { stateHash, valueOf } from "../../src/merge/index.js";
import type { Rec } from "../../src/merge/index.js";
import { persisted } from "../../src/persist.js";
import { noCursor } from "../../src/protocol/index.js";
import type { Op, RecordState, Value, Verdict } from "../../src/protocol/index.js";
import { mutate } from "../../src/queue.js";
import type { Pending } from "../../src/queue.js";
import { connected, disconnected } from "../../src/reconnect.js";
import type { Batch } from "../../src/store/store.js";
import { keyBytes } from "../../src/layout.js";
import type { Conn, Model } from "./model.js";
import { Random } from "./random.js";

export const board = "board";

/** A store by the text of its keys. */
export type Disk = Map<string, Uint8Array>;

export class Device {
  core!: Core;
  disk: Disk = new Map();
  /** Being written. */
  batch: Batch | undefined;
  conn: Conn | undefined;
  toSend: Uint8Array[] = [];
  /** The core wants a connection. */
  wants = false;
  now = 1000;
  local = new Set<number>();
  settled = new Map<number, Verdict>();
  entries = new Map<number, number | undefined>();
  fetched: (Value | undefined)[] = [];
  dropped: Ready["close"][] = [];
  refresh = false;
  fresh = false;
  /** Keeps the device from connecting; its disk from writing. */
  offline = false;
  stuck = false;
  /** The server was told of a cursor that is not on disk. */
  badAck = false;
  readonly options: SpaceOptions;

  constructor(
    readonly gateway: Model,
    readonly seed: number,
    options: SpaceOptions & { readonly disk?: Disk; readonly now?: number; readonly offline?: boolean; readonly config?: Partial<CoreConfig> } = {},
  ) {
    this.options = options;
    if (options.disk) this.disk = new Map(options.disk);
    this.now = options.now ?? 1000;
    this.offline = options.offline ?? false;
    this.start(options.config);
  }

  private lives = 0;

  /** Makes a core from the disk, as after a crash. */
  start(config: Partial<CoreConfig> = {}): void {
    const random = new Random(this.seed * 1000 + ++this.lives);
    this.core = new Core({ random: (n) => random.bytes(n), client: "test", ...config });
    for (const key of [...this.disk.keys()].sort()) this.core.load({ key: keyBytes(key), value: this.disk.get(key) as Uint8Array });
    this.core.start(this.now);
    this.core.open(this.now, board, { presence: false, ...this.options });
    this.take();
  }

  /** Loses everything that is not on disk, and starts again. */
  crash(): void {
    this.cut();
    this.batch = undefined;
    this.wants = false;
    this.local = new Set();
    this.settled = new Map();
    this.start();
  }

  /** Breaks the connection; what was under way in it is lost. */
  cut(): void {
    if (!this.conn) return;
    this.conn.close();
    this.conn = undefined;
    this.toSend = [];
    disconnected(this.core, this.now, 0);
    this.take();
  }

  /** Notes what the core wants. */
  take(): Ready {
    const r = this.core.ready();
    if (r.persist) {
      if (this.batch) throw new Error("a second batch while one is in flight");
      this.batch = r.persist;
    }
    if (r.close) {
      this.dropped.push(r.close);
      this.conn?.close();
      this.conn = undefined;
      this.toSend = [];
    }
    if (this.conn) this.toSend.push(...r.send);
    if (r.connect) {
      this.wants = true;
      this.fresh = r.freshToken;
    }
    this.refresh ||= r.refreshToken;
    for (const e of r.events) {
      if (e.kind === "local") this.local.add(e.ref);
      if (e.kind === "fetched") this.fetched.push(e.value);
      if (e.kind !== "settled") continue;
      if (e.ref !== 0 && this.settled.has(e.ref)) throw new Error(`mutation ${e.ref} was settled twice`);
      this.settled.set(e.ref, e.verdict);
      this.entries.set(e.ref, e.entry);
    }
    return r;
  }

  connect(): boolean {
    if (!this.wants || this.offline) return false;
    this.wants = false;
    this.conn = this.gateway.connect();
    this.conn.onAck = (ack) => {
      for (const { cursor } of ack.cursors) if (cursor.seq > this.durableCursor()) this.badAck = true;
    };
    connected(this.core, this.now, "token");
    this.take();
    return true;
  }

  private durableCursor(): number {
    const core = new Core({ random: (n) => new Uint8Array(n) });
    for (const [key, value] of this.disk) if (key[0] === "s") core.load({ key: keyBytes(key), value });
    return core.spaces.get(board)?.cursor.seq ?? noCursor.seq;
  }

  /** Makes the batch in flight durable. */
  write(): boolean {
    const b = this.batch;
    if (!b) return false;
    this.batch = undefined;
    for (const key of b.deletes) this.disk.delete(String.fromCharCode(...key));
    for (const { key, value } of b.puts) this.disk.set(String.fromCharCode(...key), value);
    persisted(this.core, this.now, b.token);
    this.take();
    return true;
  }

  /** Lets one message reach the gateway. */
  sendOne(): boolean {
    const data = this.conn && this.toSend.shift();
    if (data) this.conn?.receive(data);
    return data !== undefined;
  }

  /** Lets one message reach the device. */
  receiveOne(): boolean {
    const data = this.conn?.out.shift();
    if (!data) return false;
    message(this.core, this.now, data);
    this.take();
    return true;
  }

  wait(ms: number): void {
    this.now += ms;
    this.core.wake(this.now);
    this.take();
  }

  /** Does one thing that can be done. */
  step(): boolean {
    return this.connect() || (!this.stuck && this.write()) || this.sendOne() || this.receiveOne();
  }

  mutate(...ops: Op[]): number {
    const m = { base: this.space.base, editTime: this.now, schemaVersion: 0, whole: false, preconditions: [], ops };
    const ref = mutate(this.core, this.now, board, m);
    this.take();
    return ref;
  }

  get space() {
    return this.core.space(board);
  }

  value(id: string, field: string): Value | undefined {
    return valueOf(this.space.view.look({ collection: "cards", id }), field);
  }

  pending(): readonly Pending[] {
    return [...this.space.leaving, ...this.space.queue];
  }

  confirmed(): RecordState[] {
    return [...this.space.view.records.values()].flatMap((records) => [...records.values()]).sort(byID);
  }

  view(): RecordState[] {
    const { view } = this.space;
    return [...view.ids("cards")].flatMap((id) => view.get({ collection: "cards", id }) ?? []).sort(byID);
  }

  hash(): string {
    return stateHash(this.confirmed());
  }
}

function byID(a: Rec, b: Rec): number {
  return a.id < b.id ? -1 : 1;
}

/** Lets everything happen on the devices until nothing more does, timers included. */
export function settle(...devices: Device[]): void {
  for (let idle = 0, rounds = 0; idle < 50; rounds++) {
    let busy = false;
    for (const d of devices) while (d.step()) busy = true;
    if (busy) {
      idle = 0;
      if (rounds > 3000) throw new Error("the devices do not come to rest");
      continue;
    }
    idle++;
    for (const d of devices) d.wait(200);
  }
}

export function create(id: string, fields: { readonly [field: string]: Value } = {}): Op {
  return { kind: "create", collection: "cards", id, fields: Object.entries(fields).map(([field, value]) => ({ field, value })) };
}

export function set(id: string, field: string, value: Value): Op {
  return { kind: "set", collection: "cards", id, fields: [{ field, value }] };
}

export function add(id: string, field: string, value: number): Op {
  return { kind: "add", collection: "cards", id, field, value };
}

export function tag(id: string, field: string, value: string): Op {
  return { kind: "set-add", collection: "cards", id, field, value };
}
