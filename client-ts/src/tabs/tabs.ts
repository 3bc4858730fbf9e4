import type { Engine, EngineEvent, EngineOptions, SpaceOptions } from "../engine.js";
import { TideError } from "../error.js";
import { toHex, uuidV7 } from "../protocol/ids.js";
import type { LocalEngine } from "../shell.js";
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

/** What whoever runs the core for this tab does, be that this tab or another. */
const delegated = ["space", "mutate", "discard", "dismiss", "setPresence", "fetch", "stats", "reconnect", "export"] as const;

interface TabsEngine extends Pick<Engine, (typeof delegated)[number]> {}

class TabsEngine implements Engine {
  static {
    for (const method of delegated) {
      (this.prototype as unknown as Record<string, unknown>)[method] = function (this: TabsEngine, ...args: readonly unknown[]): unknown {
        return (this.#engine[method] as (...args: readonly unknown[]) => unknown)(...args);
      };
    }
  }

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
    this.#elect(name);
  }

  open(space: string, options: SpaceOptions): Promise<void> {
    this.#leader?.hold(space);
    return this.#engine.open(space, options);
  }
  release(space: string): void {
    if (this.#leader) this.#leader.release(space);
    else this.#engine.release(space);
  }
  watch(listener: (event: EngineEvent) => void): () => void {
    const own = (event: EngineEvent) => listener(event);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }
  /** A tab that is about to lead tells at once what keeps it from that. */
  status(): ReturnType<Engine["status"]> {
    return (this.#local ?? this.#engine).status();
  }
  now(): number {
    return this.#remote.now();
  }
  newID(): string {
    return this.#remote.newID();
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

  /** Leads once the lock is free. */
  #elect(name: string): void {
    this.#platform.lock(name, () => this.#lead(name), this.#abort.signal);
  }

  /** This tab holds the lock: it runs the core, from what is in the store, until it ends. */
  async #lead(name: string): Promise<void> {
    if (this.#closing && !this.#remote.forgetting) return;
    let code: typeof import("./lead.js");
    try {
      code = await import("./lead.js");
    } catch (cause) {
      // Perhaps another tab has it. Edits wait.
      this.#remote.fail(new TideError("unreachable", "the code of the engine could not be loaded", { cause }));
      setTimeout(() => this.#elect(name), 5000);
      return;
    }
    if (this.#closing && !this.#remote.forgetting) return;
    const local = (this.#local = new code.LocalEngine(this.#options));
    this.#forward(local);
    const { opened, failed } = await code.openAll(local, this.#remote);
    const { wanted } = this.#remote;
    this.#engine = local;
    if (failed) this.#remote.end(failed);
    else code.handOver(this.#remote.leave(), local, this.#port.tab);
    this.#leader = new code.Leader(
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
      const what = version > tabsVersion ? "newer code: reload this page" : "older code: reload that tab";
      this.#remote.fail(new TideError("tab-version", `another tab leads with ${what}`));
    }
  }
}

const tabLock = (name: string, tab: string) => `${name}:tab:${tab}`;
