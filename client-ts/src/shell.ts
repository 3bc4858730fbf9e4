// The shell: what the core asks for, done. It owns the socket, the store and the
// timer, and nothing in it decides.
import { loadUnpacking } from "./compress/index.js";
import { dismiss, fetch } from "./conflicts.js";
import { Core } from "./core.js";
import type { CoreEvent } from "./core.js";
import { message } from "./cursor.js";
import type { Engine, EngineEvent, EngineOptions, Judged, Origin, SpaceData, SpaceOptions, Submission } from "./engine.js";
import { TideError, tideError } from "./error.js";
import { exportEntries } from "./layout.js";
import { allEntries, persisted } from "./persist.js";
import { setPresence } from "./presence.js";
import { closeCode, codeOfClose, uuidV7 } from "./protocol/index.js";
import type { BlobID, Conflict, Mutation, Value } from "./protocol/index.js";
import { mutate } from "./queue.js";
import type { Pending } from "./queue.js";
import { connectFailed, connected, disconnected, reconnect, tokenRefreshed } from "./reconnect.js";
import { discard } from "./rejected.js";
import type { Stats, Status } from "./status.js";
import { StoreError } from "./store/store.js";
import type { Batch } from "./store/store.js";
import { outcome, taken } from "./tabs/taken.js";
import { webSocketDialer } from "./transport.js";
import type { Dial, Transport } from "./transport.js";
import { kindsOf } from "./tx.js";
import { waiting } from "./waiting.js";
import type { Waiting } from "./waiting.js";
import { tell } from "./watch.js";

/** Bounds an attempt to connect, the token's fetch included, in milliseconds. */
const dialWithin = 30_000;
/** Timers take no more. */
const longestTimer = 2 ** 31 - 1;
/** What may pass by itself: the store is asked again. */
const passing = ["store-quota", "store-blocked", "store-unavailable"];

interface Submitted extends Submission {
  /** Its place in the queue; undefined if it has left it. */
  readonly pending: Pending | undefined;
  readonly locally: Waiting<void>;
  readonly durably: Waiting<Judged>;
  readonly origin: string;
}

interface Fetching {
  readonly space: string;
  asked: boolean;
  readonly answer: Waiting<Value | undefined>;
}

/** Runs the core in this tab. */
export class LocalEngine implements Engine {
  readonly #options: EngineOptions;
  readonly #dial: Dial;
  #core: Core | undefined;
  #opening: Promise<void>;
  /** Why the engine ended; undefined while it runs. */
  #failed: TideError | undefined;
  /** Why the store does not take what it is given, for now. */
  #storeError: TideError | undefined;
  #writing: Promise<void> = Promise.resolve();
  /** What can unpack deliveries: it loads while the store does. */
  readonly #unpacking = loadUnpacking();
  #closing: Promise<void> | undefined;
  #socket: Transport | undefined;
  /** Gives up the connection that is being made. */
  #dialing: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wakeAt = 0;
  /** Mutations of this run that are not settled, by ref; and those that came from other tabs. */
  readonly #submitted = new Map<number, Submitted>();
  readonly #origins = new Map<string, Submitted>();
  readonly #fetches = new Map<BlobID, Fetching>();
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  readonly #events: CoreEvent[] = [];
  #telling = false;
  #lastStatus: { readonly of: unknown[]; readonly status: Status } | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    try {
      this.#dial = options.dial ?? webSocketDialer(options.url, options.webSocket);
    } catch (error) {
      this.#dial = () => Promise.reject(error); // the status says it, and everything works offline
    }
    this.#opening = this.#begin();
    this.#opening.catch(() => {});
    globalThis.addEventListener?.("online", this.#online);
  }

  /** The core, for tools; undefined until the store is loaded. */
  get core(): Core | undefined {
    return this.#core;
  }

  /** Settles once the store is loaded; rejects with a TideError if it cannot be. */
  get loaded(): Promise<void> {
    return this.#opening;
  }

  stats(): Stats | undefined {
    return this.#core?.stats;
  }

  async open(space: string, options: SpaceOptions): Promise<void> {
    await this.#opening;
    this.#running().open(this.now(), space, options);
    this.#pump();
  }

  release(space: string): void {
    void this.#opening.then(() => {
      this.#core?.release(this.now(), space);
      this.#pump();
    }, () => {});
  }

  space(name: string): SpaceData | undefined {
    const s = this.#core?.spaces.get(name);
    return s?.opened ? s : undefined;
  }

  mutate(space: string, mutation: Mutation, replaces?: number): Submission {
    return this.submit(space, mutation, replaces);
  }

  /** `mutate`, for a mutation that another tab made: one that was taken already is not taken again. */
  submit(space: string, mutation: Mutation, replaces?: number, origin?: Origin): Submission & { readonly pending: Pending | undefined } {
    const core = this.#running();
    const name = origin ? `${origin.tab}/${origin.counter}` : "";
    const ref = mutate(core, this.now(), space, mutation, replaces, origin);
    if (ref === 0) {
      const known = this.#origins.get(name);
      if (known) return known;
    }
    const [locally, durably] = [waiting<void>(), waiting<Judged>()];
    const pending = ref === 0 ? taken(core, space, mutation) : core.spaces.get(space)?.queue.at(-1);
    const submitted: Submitted = { pending, locally, durably, origin: name, local: locally.promise, durable: durably.promise };
    if (pending && !pending.judged) {
      this.#submitted.set((pending.ref ||= ++core.refs), submitted);
      if (origin) this.#origins.set(name, submitted);
      if (pending.durable) locally.resolve();
    } else {
      locally.resolve();
      durably.resolve(outcome(core, space, mutation, pending));
    }
    this.#pump();
    return submitted;
  }

  discard(space: string, entry: number): boolean {
    const done = discard(this.#running(), space, entry);
    this.#pump();
    return done;
  }

  dismiss(space: string, conflict: Conflict): boolean {
    const done = dismiss(this.#running(), space, conflict);
    this.#pump();
    return done;
  }

  setPresence(space: string, value: Value | undefined): void {
    void this.#opening.then(() => {
      if (this.#core) setPresence(this.#core, this.now(), space, value);
      this.#pump();
    }, () => {});
  }

  fetch(space: string, blob: BlobID): Promise<Value | undefined> {
    let fetching = this.#fetches.get(blob);
    if (!fetching) this.#fetches.set(blob, (fetching = { space, asked: false, answer: waiting() }));
    this.#pump();
    return fetching.answer.promise;
  }

  status(): Status {
    const { lastStatus = none } = { lastStatus: this.#core?.status };
    const of = [lastStatus, this.#failed, this.#storeError];
    if (!this.#lastStatus || this.#lastStatus.of.some((part, i) => part !== of[i])) {
      const lastError = this.#failed ?? this.#storeError ?? lastStatus.lastError;
      const status: Status = {
        ...lastStatus,
        ...(this.#failed && { state: "stopped" }),
        lastError,
        evicted: this.#options.store.evicted ?? false,
      };
      this.#lastStatus = { of, status };
    }
    return this.#lastStatus.status;
  }

  watch(listener: (event: EngineEvent) => void): () => void {
    const own = (event: EngineEvent) => listener(event);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  reconnect(): void {
    if (this.#closing) return;
    if (!this.#core && this.#failed) {
      this.#failed = undefined;
      this.#opening = this.#begin();
      this.#opening.catch(() => {});
      this.#statusChanged();
    }
    if (this.#core) reconnect(this.#core, this.now());
    this.#pump();
  }

  now(): number {
    return Math.floor((this.#options.now ?? Date.now)());
  }

  newID(): string {
    return uuidV7(this.now(), this.#random(16));
  }

  async export(): Promise<Uint8Array> {
    await this.#opening;
    return exportEntries(this.#core ? allEntries(this.#core) : []);
  }

  close(forget = false): Promise<void> {
    return (this.#closing ??= this.#close(forget));
  }

  async #close(forget: boolean): Promise<void> {
    const { store } = this.#options;
    this.#stop(new TideError("closed", "the client was closed"));
    // A batch that was handed over is still written: who waits for it may as well have it.
    await this.#writing;
    await this.#opening.catch(() => {});
    if (forget) await store.clear();
    await store.close();
  }

  readonly #online = () => this.reconnect();

  #random(bytes: number): Uint8Array {
    return this.#options.random?.(bytes) ?? crypto.getRandomValues(new Uint8Array(bytes));
  }

  #running(): Core {
    if (this.#failed) throw this.#failed;
    if (!this.#core) throw new TideError("closed", "the client's store is not loaded yet");
    return this.#core;
  }

  /** Loads the store and starts the core. */
  async #begin(): Promise<void> {
    const { store, rules, backoff, window } = this.#options;
    try {
      const entries = await this.#persistently(() => store.load());
      if (!entries) throw this.#failed;
      const core = new Core({
        random: (bytes) => this.#random(bytes),
        schemaVersion: rules?.version ?? 0,
        ...(rules && { kinds: kindsOf(rules) }),
        ...(backoff && { backoff }),
        ...(window && { window }),
      });
      for (const entry of entries) core.load(entry);
      core.start(this.now());
      this.#core = core;
      this.#pump();
    } catch (error) {
      const why = storeError(error);
      this.#stop(why);
      throw why;
    }
  }

  /** Asks the store until it does; what may pass by itself shows in the status meanwhile. Undefined once the engine has ended. */
  async #persistently<T>(ask: () => Promise<T>): Promise<T | undefined> {
    for (let wait = 500; ; wait = Math.min(2 * wait, dialWithin)) {
      try {
        const answer = await ask();
        if (this.#storeError) {
          this.#storeError = undefined;
          this.#statusChanged();
        }
        return answer;
      } catch (error) {
        const why = storeError(error);
        if (!passing.includes(why.code)) throw why;
        if (this.#failed) return undefined;
        this.#storeError = why;
        this.#statusChanged();
        await new Promise((resolve) => setTimeout(resolve, wait));
        if (this.#failed) return undefined;
      }
    }
  }

  /** Ends the engine because of an error; the first one counts. */
  #stop(why: TideError): void {
    if (this.#failed) return;
    this.#failed = why;
    globalThis.removeEventListener?.("online", this.#online);
    clearTimeout(this.#timer);
    this.#dialing?.abort();
    this.#drop(0, "");
    for (const { locally, durably } of this.#submitted.values()) {
      locally.reject(why);
      durably.reject(why);
    }
    for (const { answer } of this.#fetches.values()) answer.reject(why);
    this.#submitted.clear();
    this.#origins.clear();
    this.#fetches.clear();
    this.#statusChanged();
  }

  /** Does what the core asks for. */
  #pump(): void {
    const core = this.#core;
    if (!core || this.#failed) return;
    for (const [blob, fetching] of this.#fetches) fetching.asked ||= fetch(core, this.now(), fetching.space, blob);
    const ready = core.ready();
    if (ready.persist) this.#writing = this.#write(core, ready.persist);
    if (ready.close) this.#drop(closeCode(ready.close.code) ?? 4004, ready.close.message);
    for (const data of ready.send) {
      core.stats.messagesOut++;
      core.stats.bytesOut += data.length;
      this.#socket?.send(data);
    }
    if (ready.connect) void this.#connect(core, ready.freshToken);
    if (ready.refreshToken) void this.#refresh(core);
    if (ready.wake !== this.#wakeAt) {
      this.#wakeAt = ready.wake;
      clearTimeout(this.#timer);
      if (ready.wake !== 0) this.#timer = setTimeout(() => this.#tick(), Math.min(Math.max(ready.wake - this.now(), 0), longestTimer));
    }
    // What listeners do to the client is told after what they are being told.
    this.#events.push(...ready.events);
    if (this.#telling) return;
    this.#telling = true;
    for (let e = this.#events.shift(); e; e = this.#events.shift()) this.#tell(e);
    this.#telling = false;
  }

  #tick(): void {
    this.#wakeAt = 0;
    this.#core?.wake(this.now());
    this.#pump();
  }

  #tell(e: CoreEvent): void {
    switch (e.kind) {
      case "local":
        this.#submitted.get(e.ref)?.locally.resolve();
        break;
      case "settled": {
        const submitted = this.#submitted.get(e.ref);
        this.#submitted.delete(e.ref);
        if (submitted) this.#origins.delete(submitted.origin);
        submitted?.durably.resolve(e);
        break;
      }
      case "changed":
        tell(this.#listeners, { kind: "space", space: e.space, changes: e.changes });
        break;
      case "fetched":
        this.#fetches.get(e.blob)?.answer.resolve(e.value);
        this.#fetches.delete(e.blob);
        break;
      case "status":
        this.#statusChanged();
    }
  }

  #statusChanged(): void {
    tell(this.#listeners, { kind: "status" });
  }

  async #write(core: Core, batch: Batch): Promise<void> {
    try {
      await this.#persistently(() => this.#options.store.write(batch).then(() => true));
    } catch (error) {
      this.#stop(storeError(error));
    }
    if (this.#failed) return;
    persisted(core, this.now(), batch.token);
    this.#pump();
  }

  async #token(fresh: boolean, signal: AbortSignal): Promise<string> {
    const { token } = this.#options;
    try {
      return token ? await withSignal(Promise.resolve(token(fresh)), signal) : "";
    } catch (error) {
      throw tideError(error, "no-token");
    }
  }

  /** Makes one connection. */
  async #connect(core: Core, fresh: boolean): Promise<void> {
    const abort = (this.#dialing = new AbortController());
    const timer = setTimeout(() => abort.abort(), dialWithin);
    let transport: Transport | undefined;
    let ended: TideError | undefined;
    const mine = () => transport !== undefined && this.#socket === transport;
    try {
      const unpacking = await this.#unpacking;
      if (unpacking) core.unpack(unpacking);
      const token = await this.#token(fresh, abort.signal);
      transport = await this.#dial(
        {
          message: (data) => {
            if (!mine()) return;
            core.stats.messagesIn++;
            core.stats.bytesIn += data.length;
            message(core, this.now(), data);
            this.#pump();
          },
          closed: (code, reason) => {
            ended = new TideError(codeOfClose(code) ?? "unreachable", reason || "the connection broke");
            if (!mine()) return;
            this.#forget();
            disconnected(core, this.now(), code, ended);
            this.#pump();
          },
        },
        abort.signal,
      );
      if (ended) throw ended;
      if (this.#failed) return transport.close(0, "");
      this.#socket = transport;
      connected(core, this.now(), token);
    } catch (error) {
      connectFailed(core, this.now(), tideError(error, "unreachable"));
    } finally {
      clearTimeout(timer);
    }
    this.#pump();
  }

  /** Gets a fresh token for the live connection. */
  async #refresh(core: Core): Promise<void> {
    const socket = this.#socket;
    const answer = await this.#token(false, AbortSignal.timeout(dialWithin)).catch((error: TideError) => error);
    if (this.#failed || this.#socket !== socket) return;
    tokenRefreshed(core, this.now(), answer);
    this.#pump();
  }

  /** Ends what belongs to the connection. */
  #forget(): void {
    this.#socket = undefined;
    for (const fetching of this.#fetches.values()) fetching.asked = false;
  }

  #drop(code: number, reason: string): void {
    const socket = this.#socket;
    this.#forget();
    socket?.close(code, reason);
  }
}

/** The condition of a client whose store is being loaded. */
const none: Status = {
  state: "offline", pending: 0, sent: 0, rejected: 0, conflicts: 0, leader: true, lastError: undefined, retryAt: undefined,
  user: "", lagMs: 0, clockMs: 0, evicted: false,
};

function storeError(error: unknown): TideError {
  return error instanceof StoreError
    ? new TideError(`store-${error.code}`, error.message, { cause: error })
    : tideError(error, "store-failed");
}

/** The promise's outcome, or a rejection once the signal is aborted. */
function withSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return Promise.race([
    promise,
    new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(new TideError("no-token", `no token came within ${dialWithin / 1000} seconds`)));
    }),
  ]);
}
