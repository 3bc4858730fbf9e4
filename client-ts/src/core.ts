// A client without its shell: it decides everything and does nothing. It touches
// no clock, socket, disk, timer or source of randomness: they come in with the
// inputs and the configuration, and Ready says what must be done.
import { acknowledge, acknowledgeWake } from "./acknowledge.js";
import type { SpaceData, SpaceOptions } from "./engine.js";
import { TideError } from "./error.js";
import type { Kinds } from "./merge/index.js";
import { NameTable, compareText, encodeMessage, noCursor, noDevice, noHash, uuidV7 } from "./protocol/index.js";
import type { BlobID, Conflict, Cursor, DeviceID, DevicePresence, Handle, Hash, Value, Verdict, Writable } from "./protocol/index.js";
import { loadEntry, restore, savedNames } from "./layout.js";
import { cut } from "./persist.js";
import type { StoredPending, Written } from "./persist.js";
import { push } from "./push.js";
import type { Pending } from "./queue.js";
import { linkWake, newLink, runLink } from "./reconnect.js";
import type { Backoff, Link } from "./reconnect.js";
import type { RejectedEntry } from "./rejected.js";
import type { Stage } from "./snapshot.js";
import type { SpaceStatus, Stats, Status } from "./status.js";
import type { Batch, Entry } from "./store/store.js";
import { resubscribe, runSubscription, setFilter, settleIn, spaceStatus } from "./subscribe.js";
import { View } from "./view.js";
import { keyOf } from "./watch.js";
import type { Changes } from "./watch.js";

/** How a core behaves. */
export interface CoreConfig {
  /** Returns fresh random bytes: for device ids, and for the jitter of reconnecting. */
  readonly random: (bytes: number) => Uint8Array;
  /** How many bytes of deliveries the gateway may send ahead (1 MiB). */
  readonly window?: number;
  /** Names the library in the gateway's logs. */
  readonly client?: string;
  /** The version of the schema the app was built for; 0 for none. */
  readonly schemaVersion?: number;
  /** What `decompress` can unpack, best first. */
  readonly compression?: readonly string[];
  readonly decompress?: (dictionary: number, data: Uint8Array) => Uint8Array;
  /** Bounds the wait between attempts to connect. */
  readonly backoff?: Partial<Backoff>;
  /** How the arrays of a new record will be laid out, where the schema is known. */
  readonly kinds?: Kinds;
}

/** Something the app may want to know. */
export type CoreEvent =
  /** The mutation is durable on disk. */
  | { readonly kind: "local"; readonly ref: number }
  /** The mutation has its verdict; `entry` is its place in the list of rejections. */
  | { readonly kind: "settled"; readonly space: string; readonly ref: number; readonly verdict: Verdict; readonly entry?: number }
  | { readonly kind: "changed"; readonly space: string; readonly changes: Changes }
  /** An overwritten value came; undefined if it is not kept any more. */
  | { readonly kind: "fetched"; readonly space: string; readonly blob: BlobID; readonly value: Value | undefined }
  /** The client's status changed. */
  | { readonly kind: "status" };

/**
 * What is to be done now. Whatever depends on something durable (a push, an
 * acknowledged cursor, the event `local`) is not in it before `persisted` has said
 * that it is: everything in a Ready may be done at once, in any order among its
 * fields.
 */
export interface Ready {
  /** To be written; then call `persisted` with its token. There is one batch in flight at most. */
  persist: Batch | undefined;
  /** Messages for the connection, in order. Drop them if it has ended. */
  send: Uint8Array[];
  /** Get a token and a connection; then call `connected` or `connectFailed`. */
  connect: boolean;
  /** The token used last is not accepted any more. */
  freshToken: boolean;
  /** Get a fresh token for the live connection; then call `tokenRefreshed`. */
  refreshToken: boolean;
  /** Close the connection. The core has forgotten it: give it no more of its messages, and do not call `disconnected`. */
  close: { readonly code: string; readonly message: string } | undefined;
  /** For the app, in order. */
  events: CoreEvent[];
  /** When `tick` is to be called at the latest; 0 for never. */
  wake: number;
}

/** How a space stands to the present connection: `none` is to be asked for when its time comes, `parked` was refused for as long as connection and token last. */
export type Subscription = "none" | "asked" | "live" | "parked";

/** What was pushed and not answered. */
export interface Flight {
  bytes: number;
  mutations: number;
}

/** What a client knows of a space. */
export class CoreSpace implements SpaceData {
  // Durable, except for the caches that are made from it.
  /** `noDevice` until the first mutation or subscription. */
  device: DeviceID = noDevice;
  cursor: Cursor = noCursor;
  schemaVersion = 0;
  /** Collections that are synced, in order; empty for all. */
  filter: readonly string[] = [];
  names = new NameTable();
  readonly view: View;
  rejected: readonly RejectedEntry[] = [];
  conflicts: readonly Conflict[] = [];

  // The durable queue: mutations of one device with contiguous counters, linked by
  // the running hash. What the server has judged moves from queue to leaving, and
  // goes once the cursor has reached its commit.
  /** Those of the device's last mutation that has left. */
  counter = 0;
  hash: Hash = noHash;
  /** The greatest base that a mutation of the device was given: a base never goes back. */
  floor = 0;
  /**
   * The last counter that may have been sent. It is durable before the mutation is:
   * whether a mutation could be known to the server is known after any crash.
   */
  sent = 0;
  /** While the bases in the queue mean nothing to the server: nothing is pushed until they are made anew. */
  rebase = false;
  /** Judged; oldest first. */
  leaving: Pending[] = [];
  /** Not judged; contiguous counters. */
  queue: Pending[] = [];

  // What the app asked for.
  open = false;
  opened = false;
  priority = 0;
  wantsPresence = false;
  presence: Value | undefined;
  readonly there = new Map<DeviceID, DevicePresence>();
  present: readonly DevicePresence[] = [];

  // The subscription. All of it dies with the connection.
  subscription: Subscription = "none";
  handle: Handle = 0;
  /** When, and how often in vain, it was asked for. */
  retryAt = 0;
  attempts = 0;
  error: TideError | undefined;
  /** The newest commit the server named. */
  head = 0;
  writable = false;
  /** The last counter pushed under the handle. */
  pushed = 0;
  inFlight: Flight = { bytes: 0, mutations: 0 };
  stage: Stage | undefined;
  /** What the server was told, what it may be told, and what it asked to be told at once. */
  acked: Cursor = noCursor;
  durable: Cursor = noCursor;
  durableSent = 0;
  ackNow = 0;
  /** Rejections whose payload is durable, and those to be confirmed after the next batch. */
  confirm: number[] = [];
  confirmLater: number[] = [];
  /** Tells a durable cursor of this history from one of another. */
  epoch = 0;
  /** The device id was drawn by this process, and no server has answered for it yet. Any other may be that of a copy, too. */
  fresh = false;

  // What is not in any batch yet.
  changedMeta = false;
  namesChanged = false;
  readonly changedRecords = new Set<string>();
  /** By key, as text of one character a byte; undefined deletes. */
  readonly entries = new Map<string, Uint8Array | undefined>();
  queued: StoredPending[] = [];
  /** The name table as the store has it. */
  namesSaved: string;

  // What changed since the last Ready.
  keys = new Set<string>();
  newsOfRejected = false;
  newsOfConflicts = false;
  newsOfPresence = false;
  newsOfStatus = false;
  lastStatus: SpaceStatus | undefined;

  constructor(
    readonly name: string,
    readonly core: Core,
  ) {
    this.view = new View((key) => this.keys.add(key), core.config.kinds);
    this.namesSaved = savedNames(this).text;
  }

  /** The base of a mutation that is made now. */
  get base(): number {
    return Math.max(this.cursor.seq, this.floor);
  }

  get status(): SpaceStatus {
    return (this.lastStatus = unlessSame(spaceStatus(this), this.lastStatus));
  }

  /** Notes that the space's own entry changed. */
  save(): void {
    this.changedMeta = true;
  }

  /** Notes that the space's status is another. */
  changed(): void {
    this.newsOfStatus = this.core.statusChanged = true;
  }

  takeNews(): Changes | undefined {
    const changes: Changes = {
      keys: Array.from(this.keys, keyOf),
      rejected: this.newsOfRejected,
      conflicts: this.newsOfConflicts,
      presence: this.newsOfPresence,
      status: this.newsOfStatus,
    };
    const any = this.keys.size > 0 || changes.rejected || changes.conflicts || changes.presence || changes.status;
    this.keys = new Set();
    this.newsOfRejected = this.newsOfConflicts = this.newsOfPresence = this.newsOfStatus = false;
    return any ? changes : undefined;
  }
}

/**
 * A client without its shell: a deterministic function of its configuration and
 * its inputs.
 *
 * Life: new Core; load for each stored entry; start; then any input in any order.
 * The inputs are the functions of this package that take a core and the time.
 * After each the owner takes `ready` and does what it says.
 */
export class Core {
  config: Required<Omit<CoreConfig, "kinds" | "decompress" | "backoff">> &
    Pick<CoreConfig, "kinds" | "decompress"> & { readonly backoff: Backoff };
  now = 0;
  /** The client's primary device id, as in hello. */
  device: DeviceID = noDevice;
  /** It is not stored yet; it was drawn by this process. */
  isNew = false;
  drawn = false;
  /** The last ref given to a mutation. */
  refs = 0;
  readonly spaces = new Map<string, CoreSpace>();
  /** In byte order of their names. */
  sorted: readonly CoreSpace[] = [];
  /** The last mutation that was taken of each tab, and when. */
  readonly tabs = new Map<string, { counter: number; at: number }>();
  readonly changedTabs = new Set<string>();
  readonly link: Link = newLink();
  /** The token of the last batch, and the one that is being written. */
  batches = 0;
  written: Written | undefined;
  readonly stats: Stats = {
    connections: 0, messagesIn: 0, bytesIn: 0, rawIn: 0, messagesOut: 0, bytesOut: 0, commits: 0, snapshots: 0, repeats: 0, gaps: 0,
  };
  lagMs = 0;
  statusChanged = false;
  out = emptyReady();
  #lastStatus: Status | undefined;

  constructor(config: CoreConfig) {
    const min = config.backoff?.min ?? 250;
    this.config = {
      window: 1 << 20,
      client: "tidegate-ts",
      schemaVersion: 0,
      compression: [],
      ...config,
      backoff: { min, max: Math.max(config.backoff?.max ?? 30_000, min) },
    };
  }

  /** Says what can be unpacked, from the next hello on. */
  unpack(how: Required<Pick<CoreConfig, "compression" | "decompress">>): void {
    this.config = { ...this.config, ...how };
  }

  /** Takes an entry of the store. For all of them, in any order, before start. Throws a TideError `store-corrupt` or `store-version`. */
  load(entry: Entry): void {
    loadEntry(this, entry);
  }

  /**
   * Begins to connect. Spaces that were left with mutations in their queue are
   * synced whether they are opened or not, so that every queue drains. Throws a
   * TideError `store-corrupt` if what was loaded does not fit together.
   */
  start(now: number): void {
    this.tick(now);
    if (this.device === noDevice) {
      this.device = this.newDevice();
      this.isNew = this.drawn = true;
    }
    for (const s of this.sorted) {
      settleIn(s);
      restore(s);
      s.open = s.queue.length > 0;
    }
    this.link.phase = "waiting";
    this.link.retryAt = Math.max(this.now, 1);
    this.advance();
  }

  /** Begins to sync a space. Opening it again changes nothing. */
  open(now: number, name: string, options: SpaceOptions = {}): void {
    this.tick(now);
    const s = this.space(name);
    if (s.opened) return;
    s.open = s.opened = true;
    s.priority = options.priority ?? 0;
    s.wantsPresence = options.presence ?? true;
    setFilter(s, options.collections ?? []);
    // It may have been subscribed for its queue's sake, with the options of the last run.
    if (s.subscription !== "none") resubscribe(s);
    this.advance();
  }

  /** Ends the sync of a space once its queue has drained. */
  release(now: number, name: string): void {
    this.tick(now);
    const s = this.spaces.get(name);
    if (s) s.opened = false;
    this.advance();
  }

  /** Time has passed; see Ready.wake. */
  wake(now: number): void {
    this.tick(now);
    this.advance();
  }

  /** What is to be done now; it is forgotten. */
  ready(): Ready {
    this.advance();
    const { out } = this;
    this.out = emptyReady();
    out.persist = cut(this);
    for (const s of this.sorted) {
      const changes = s.takeNews();
      if (changes) out.events.push({ kind: "changed", space: s.name, changes });
    }
    if (this.statusChanged) {
      this.statusChanged = false;
      out.events.push({ kind: "status" });
    }
    out.wake = this.#wakeAt();
    return out;
  }

  /** The client's condition: the same object until it changes. */
  get status(): Status {
    const { link } = this;
    let [pending, sent, rejected, conflicts] = [0, 0, 0, 0];
    let error = link.error;
    for (const s of this.sorted) {
      pending += s.queue.length;
      const first = s.queue[0];
      if (s.subscription === "live" && first) sent += Math.max(s.pushed - first.counter + 1, 0);
      rejected += s.rejected.length;
      conflicts += s.conflicts.length;
      error ??= s.error;
    }
    const status: Status = {
      state: link.phase === "waiting" || link.phase === "idle" ? "offline" : link.phase === "dialing" || link.phase === "hello" ? "connecting" : link.phase,
      pending,
      sent,
      rejected,
      conflicts,
      leader: true,
      lastError: error,
      retryAt: (link.phase === "waiting" && link.retryAt) || undefined,
      user: link.welcome?.user ?? "",
      lagMs: this.lagMs,
      clockMs: link.clock,
      evicted: false,
    };
    return (this.#lastStatus = unlessSame(status, this.#lastStatus));
  }

  // What follows is for the functions that make up the core.

  /** Moves the clock. It never goes back: a clock that was set back costs a longer wait, nothing else. */
  tick(now: number): void {
    this.now = Math.max(this.now, now);
  }

  /** Does what has become possible: timers that ran out, pushes that became durable or found room, acknowledgements that are due. */
  advance(): void {
    runLink(this);
    for (const s of this.sorted) runSubscription(s);
    push(this);
    acknowledge(this);
  }

  /** The space with the name, new if it is not known. */
  space(name: string): CoreSpace {
    let s = this.spaces.get(name);
    if (!s) {
      this.spaces.set(name, (s = new CoreSpace(name, this)));
      this.sorted = [...this.sorted, s].sort((a, b) => compareText(a.name, b.name));
    }
    return s;
  }

  newDevice(): DeviceID {
    return uuidV7(this.now, this.config.random(16));
  }

  /** Adds a message for the connection. */
  send(...frames: Writable[]): void {
    this.out.send.push(encodeMessage(...frames));
  }

  event(event: CoreEvent): void {
    this.out.events.push(event);
  }

  /** When the next timer runs out. */
  #wakeAt(): number {
    const times = [linkWake(this), acknowledgeWake(this)];
    if (this.link.phase === "live") for (const s of this.sorted) times.push(s.retryAt);
    return times.reduce((a, b) => (a === 0 || (b !== 0 && b < a) ? b : a), 0);
  }
}

function emptyReady(): Ready {
  return {
    persist: undefined, send: [], connect: false, freshToken: false, refreshToken: false, close: undefined, events: [], wake: 0,
  };
}

/** Returns `before` if it has the same in all its properties. */
function unlessSame<T extends object>(now: T, before: T | undefined): T {
  return before && (Object.keys(now) as (keyof T)[]).every((name) => now[name] === before[name]) ? before : now;
}
