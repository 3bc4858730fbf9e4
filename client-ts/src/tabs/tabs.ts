import type { Engine, EngineEvent, EngineOptions, SpaceData, SpaceOptions, Submission } from "../engine.js";
import { TideError, tideError } from "../error.js";
import { toHex, uuidV7 } from "../protocol/ids.js";
import type { BlobID, Conflict, Mutation, Value } from "../protocol/index.js";
import type { LocalEngine } from "../shell.js";
import type { Stats, Status } from "../status.js";
import { kindsOf } from "../tx.js";
import { tell } from "../watch.js";
import { port, tabsVersion } from "./channel.js";
import type { ChannelLike, Message, Port } from "./channel.js";
import type { Leader } from "./leader.js";
import { RemoteEngine } from "./remote.js";

/** What tabs need of their platform; navigator.locks and BroadcastChannel have it. */
export interface TabsPlatform {
  /** Calls `held` once the lock is free, and frees it when the promise settles or the tab dies. */
  lock(name: string, held: () => Promise<void>, signal: AbortSignal): void;
  channel(name: string): ChannelLike;
}

/** The platform's own; undefined where there is none, as in Node, React Native and insecure pages. */
export function tabsPlatform(): TabsPlatform | undefined {
  const { navigator, BroadcastChannel } = globalThis as { navigator?: Navigator; BroadcastChannel?: new (name: string) => ChannelLike };
  const locks = navigator?.locks;
  if (!locks || !BroadcastChannel) return undefined;
  return {
    lock: (name, held, signal) => void locks.request(name, { signal }, held).catch(() => {}),
    channel: (name) => new BroadcastChannel(name),
  };
}

/**
 * Makes the engine of one tab. The tabs that have the same store elect one, by a
 * lock, that runs the core and holds the socket; the others follow it and see
 * everybody's edits at once. When it dies, the next takes over with what is in the
 * store, and the others send it again what they cannot be sure of. Where tabs
 * cannot find each other, each runs by itself, and the store makes sure that one
 * of them owns it.
 */
export function tabsEngine(options: EngineOptions, platform = tabsPlatform()): Engine {
  const { name } = options.store;
  return platform && name !== undefined ? new TabsEngine(options, `tidegate:${name}`, platform) : new TabsEngine(options, "", alone);
}

/** Where there is one tab, it leads at once. */
const alone: TabsPlatform = {
  lock: (name, held) => void (name === "" && held()),
  channel: () => ({ postMessage() {}, close() {}, onmessage: null }),
};

class TabsEngine implements Engine {
  readonly #options: EngineOptions;
  readonly #platform: TabsPlatform;
  readonly #port: Port;
  readonly #remote: RemoteEngine;
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  /** Ends the wait for locks. */
  readonly #abort = new AbortController();
  /** Frees the locks that this tab holds. */
  #free!: () => void;
  /** Whether this tab holds the lock that says that it lives. */
  #held = false;
  readonly #freed = new Promise<void>((resolve) => (this.#free = resolve));
  #local: LocalEngine | undefined;
  #leader: Leader | undefined;
  #engine: LocalEngine | RemoteEngine;
  #closing: Promise<void> | undefined;

  constructor(options: EngineOptions, name: string, platform: TabsPlatform) {
    this.#options = options;
    this.#platform = platform;
    const random = options.random ?? ((bytes: number) => crypto.getRandomValues(new Uint8Array(bytes)));
    const now = () => Math.floor((options.now ?? Date.now)());
    const tab = toHex(random(16));
    this.#port = port(platform.channel(name), tab, (message) => this.#hear(message), (version) => this.#stranger(version));
    // Who leads waits for this lock, too, and so hears of this tab's end. A browser may
    // take longer to hand out a new page's first lock than to carry its first message,
    // so nobody is followed before it is held: the leader would get it at once.
    const held = () => {
      this.#held = true;
      this.#remote.who();
      return this.#freed;
    };
    platform.lock(tabLock(name, tab), held, this.#abort.signal);
    this.#engine = this.#remote = new RemoteEngine(this.#port, {
      kinds: options.rules && kindsOf(options.rules),
      now,
      newID: () => uuidV7(now(), random(16)),
    });
    this.#forward(this.#remote);
    platform.lock(name, () => this.#lead(name), this.#abort.signal);
  }

  open(space: string, options: SpaceOptions): Promise<void> {
    this.#leader?.hold(space);
    return this.#engine.open(space, options);
  }
  release(space: string): void {
    if (this.#leader) this.#leader.release(space);
    else this.#engine.release(space);
  }
  space(space: string): SpaceData | undefined {
    return this.#engine.space(space);
  }
  mutate(space: string, mutation: Mutation, replaces?: number): Submission {
    return this.#engine.mutate(space, mutation, replaces);
  }
  discard(space: string, entry: number): boolean {
    return this.#engine.discard(space, entry);
  }
  dismiss(space: string, conflict: Conflict): boolean {
    return this.#engine.dismiss(space, conflict);
  }
  setPresence(space: string, value: Value | undefined): void {
    this.#engine.setPresence(space, value);
  }
  fetch(space: string, blob: BlobID): Promise<Value | undefined> {
    return this.#engine.fetch(space, blob);
  }
  status(): Status {
    // What keeps this tab's own store from being loaded is worth knowing before it is.
    return (this.#local ?? this.#engine).status();
  }
  stats(): Stats | undefined {
    return this.#engine.stats();
  }
  watch(listener: (event: EngineEvent) => void): () => void {
    const own = (event: EngineEvent) => listener(event);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }
  reconnect(): void {
    this.#engine.reconnect();
  }
  now(): number {
    return this.#remote.now();
  }
  newID(): string {
    return this.#remote.newID();
  }
  export(): Promise<Uint8Array> {
    return this.#engine.export();
  }

  close(forget = false): Promise<void> {
    return (this.#closing ??= this.#close(forget));
  }

  async #close(forget: boolean): Promise<void> {
    try {
      if (this.#local) await this.#local.close(forget);
      else await this.#remote.close(forget); // becomes the engine's own close if this tab leads meanwhile
      this.#remote.end(new TideError("closed", "the client was closed"));
    } finally {
      this.#finish(forget);
    }
  }

  /** Leaves the others alone; `forget` says that there is nothing left for them either. */
  #finish(forget: boolean): void {
    if (this.#leader && forget) this.#port.post({ kind: "closed" });
    this.#leader?.close();
    this.#abort.abort();
    this.#free();
    this.#port.close();
  }

  /** This tab holds the lock: it runs the core, from what is in the store, until it ends. */
  async #lead(name: string): Promise<void> {
    if (this.#closing && !this.#remote.forgetting) return;
    const { LocalEngine, Leader } = await import("./lead.js");
    if (this.#closing && !this.#remote.forgetting) return;
    const local = (this.#local = new LocalEngine(this.#options));
    this.#forward(local);
    let failed: TideError | undefined;
    const opened = new Set<string>();
    try {
      // While the store is being loaded the app goes on, and may open more.
      for (let more = true; more; ) {
        const needed = [...this.#remote.needed()].filter(([space]) => !opened.has(space));
        for (const [space] of needed) opened.add(space);
        if (opened.size === 0) await local.loaded;
        await Promise.all(needed.map(([space, options]) => local.open(space, options)));
        more = [...this.#remote.needed().keys()].some((space) => !opened.has(space));
      }
    } catch (error) {
      failed = tideError(error, "store-failed");
    }
    const { wanted } = this.#remote;
    this.#engine = local;
    if (failed) this.#remote.end(failed);
    else this.#remote.handOver(local);
    this.#leader = new Leader(
      local,
      this.#port,
      (tab, dead) => this.#platform.lock(tabLock(name, tab), async () => dead(), this.#abort.signal),
      () => local.close(true).then(() => this.#finish(true)),
    );
    for (const space of opened) {
      this.#leader.hold(space);
      if (!wanted.has(space)) this.#leader.release(space);
    }
    for (const space of wanted.keys()) {
      tell(this.#listeners, { kind: "space", space, changes: { keys: "all", rejected: true, conflicts: true, presence: true, status: true } });
    }
    tell(this.#listeners, { kind: "status" });
    await this.#freed;
  }

  #forward(engine: LocalEngine | RemoteEngine): void {
    engine.watch((event) => {
      if (this.#engine === engine || (this.#local === engine && event.kind === "status")) tell(this.#listeners, event);
    });
  }

  #hear(message: Message): void {
    switch (message.kind) {
      case "who":
      case "join":
      case "mutate":
      case "call":
        this.#leader?.hear(message);
        break;
      default:
        if (message.kind !== "leader" || this.#held) this.#remote.hear(message.from, message);
        if (message.kind === "closed") void this.close();
    }
  }

  /** A tab with other code: if it leads, this one has to wait for its end; if this one leads, it is told so. */
  #stranger(version: number): void {
    if (this.#leader) this.#port.post({ kind: "leader", n: 0 });
    else if (!this.#remote.following) {
      const which = version > tabsVersion ? "newer code: reload this page" : "older code: reload or close that tab";
      this.#remote.fail(new TideError("tab-version", `another tab leads with ${which}; edits wait in this one until then`));
    }
  }
}

const tabLock = (name: string, tab: string) => `${name}:tab:${tab}`;
