// A browser with several tabs, one disk and one gateway, in which everything that
// happens between them happens one by one, in an order that a test draws.
import { createClient } from "../../src/index.js";
import type { Client, ClientOptions } from "../../src/index.js";
import { StoreError } from "../../src/store/store.js";
import type { Entry, Store } from "../../src/store/store.js";
import type { ChannelLike } from "../../src/tabs/channel.js";
import { tabsEngine } from "../../src/tabs/tabs.js";
import type { TabsPlatform } from "../../src/tabs/tabs.js";
import type { Transport } from "../../src/transport.js";
import { vi } from "vitest";
import { Model } from "../core/model.js";

/** Something that will happen, after what stands before it in its lane. */
interface Lane {
  readonly tab: Tab | undefined;
  readonly steps: (() => void)[];
}

interface Held {
  readonly tab: Tab;
  readonly held: () => Promise<void>;
}

export class World {
  readonly model = new Model();
  readonly tabs: Tab[] = [];
  now = 1_800_000_000_000;
  /** What survives. */
  disk = new Map<string, Entry>();
  owner = 0;
  readonly lanes = new Map<string, Lane>();
  readonly locks = new Map<string, Held[]>();
  /** Lanes in which nothing happens for now. */
  readonly late = new Set<string>();
  /** Messages between tabs so far. */
  said = 0;
  #tabs = 0;
  #random = 1;

  /** Opens a tab. */
  tab(undo?: ClientOptions["undo"]): Tab {
    const tab = new Tab(this, `t${++this.#tabs}`, 0, undo);
    this.tabs.push(tab);
    return tab;
  }

  later(lane: string, tab: Tab | undefined, step: () => void): void {
    const found = this.lanes.get(lane) ?? { tab, steps: [] };
    this.lanes.set(lane, found);
    found.steps.push(step);
  }

  /** Lets one thing happen: that of the lane that `choose` takes of so many. False if there is nothing. */
  async step(choose: (n: number) => number = () => 0): Promise<boolean> {
    await turn();
    const ready = [...this.lanes.entries()].filter(([name, lane]) => lane.steps.length > 0 && !this.late.has(name));
    const [name, lane] = ready[choose(ready.length)] ?? [];
    if (!name || !lane) return false;
    this.now++;
    lane.steps.shift()?.();
    if (lane.steps.length === 0) this.lanes.delete(name);
    await turn();
    return true;
  }

  /** Lets the next thing of a lane happen. */
  async run(lane: string): Promise<void> {
    await turn();
    const at = [...this.lanes.entries()].filter(([, l]) => l.steps.length > 0).findIndex(([name]) => name === lane);
    if (at < 0) throw new Error(`nothing in ${lane}: ${[...this.lanes.keys()].join(", ")}`);
    await this.step(() => at);
  }

  /** Lets everything happen. */
  async settle(choose?: (n: number) => number): Promise<void> {
    for (let steps = 0, quiet = 0; quiet < 3; steps++) {
      if (steps > 100_000) throw new Error("it never ends");
      if (await this.step(choose)) {
        quiet = 0;
        continue;
      }
      // Nothing but time can bring anything now.
      quiet++;
      this.now += 1000;
      vi.advanceTimersByTime(1000);
    }
  }

  random(bytes: number): Uint8Array {
    return Uint8Array.from({ length: bytes }, () => {
      this.#random = (Math.imul(this.#random, 1103515245) + 12345) >>> 0;
      return this.#random >>> 16;
    });
  }

  /** Gives the lock to whoever is next. */
  grant(name: string): void {
    const next = this.locks.get(name)?.[0];
    if (!next) return;
    this.later(`lock ${name}`, next.tab, () => {
      void next.held().finally(() => this.unlock(name, next));
    });
  }

  unlock(name: string, held: Held): void {
    const waiting = this.locks.get(name) ?? [];
    const first = waiting[0] === held;
    this.locks.set(name, waiting.filter((each) => each !== held));
    if (first) this.grant(name);
  }
}

export class Tab {
  alive = true;
  readonly client: Client;
  readonly errors: unknown[] = [];
  #channel: ((data: unknown) => void) | undefined;
  #closeConnection: (() => void) | undefined;

  constructor(
    readonly world: World,
    readonly name: string,
    /** By how much its code is newer than that of the others. */
    readonly newer = 0,
    undo?: ClientOptions["undo"],
  ) {
    const platform: TabsPlatform = {
      lock: (lock, held, signal) => {
        const mine = { tab: this, held };
        const waiting = world.locks.get(lock) ?? [];
        world.locks.set(lock, [...waiting, mine]);
        if (waiting.length === 0) world.grant(lock);
        signal.addEventListener("abort", () => {
          if (world.locks.get(lock)?.[0] !== mine) world.unlock(lock, mine);
        });
      },
      channel: () => this.#openChannel(),
    };
    this.client = createClient({
      url: "ws://gateway/sync",
      store: this.#store(),
      dial: async (events) => this.#dial(events),
      now: () => world.now,
      random: (bytes) => world.random(bytes),
      engine: (options) => tabsEngine(options, platform),
      ...(undo && { undo }),
    });
  }

  get leads(): boolean {
    return this.alive && this.client.status.leader;
  }

  /** What the app sees of a space. */
  get space() {
    return this.client.space("board");
  }

  /**
   * The process is killed: nothing more comes from it. `lost` says how many of its
   * last messages to others never arrive, and whether what it was writing is lost.
   */
  kill(lost = 0, tornWrite = false): void {
    const { world } = this;
    this.alive = false;
    this.#closeConnection?.();
    for (const [name, lane] of [...world.lanes]) {
      if (name.startsWith(`say ${this.name} `)) lane.steps.splice(Math.max(lane.steps.length - lost, 0));
      // What was given to the disk is done before whoever opens it next, or not at all.
      else if (name === `disk ${this.name}` && !tornWrite) for (const step of lane.steps.splice(0)) step();
      else if (lane.tab === this) lane.steps.length = 0;
      if (lane.steps.length === 0) world.lanes.delete(name);
    }
    for (const [name, waiting] of [...world.locks]) for (const held of waiting) if (held.tab === this) world.unlock(name, held);
  }

  #openChannel(): ChannelLike {
    const { world } = this;
    const channel: ChannelLike = {
      onmessage: null,
      postMessage: (message) => {
        if (!this.alive) return;
        const copy = structuredClone(message) as { tidegate: number };
        copy.tidegate += this.newer;
        world.said++;
        for (const other of world.tabs) {
          if (other !== this && other.alive) world.later(`say ${this.name} ${other.name}`, other, () => other.#channel?.(structuredClone(copy)));
        }
      },
      close: () => (this.#channel = undefined),
    };
    this.#channel = (data) => {
      const message = data as { tidegate: number };
      if (this.alive) channel.onmessage?.({ data: { ...message, tidegate: message.tidegate - this.newer } });
    };
    return channel;
  }

  #store(): Store {
    const { world } = this;
    let owner = 0;
    const io = <T>(work: () => T) =>
      new Promise<T>((resolve, reject) => {
        world.later(`disk ${this.name}`, this, () => {
          try {
            const value = work();
            if (this.alive) resolve(value);
          } catch (error) {
            if (this.alive) reject(error as Error);
          }
        });
      });
    const own = () => {
      if (owner !== world.owner) throw new StoreError("in-use", "another tab owns the disk");
    };
    return {
      name: "app",
      load: () =>
        io(() => {
          owner = ++world.owner;
          return [...world.disk.keys()].sort().map((key) => world.disk.get(key) as Entry);
        }),
      write: ({ puts, deletes }) =>
        io(() => {
          own();
          for (const entry of puts) world.disk.set(Buffer.from(entry.key).toString("latin1"), entry);
          for (const key of deletes) world.disk.delete(Buffer.from(key).toString("latin1"));
        }),
      clear: () => io(() => world.disk.clear()),
      close: async () => {},
    };
  }

  #dial(events: { message(data: Uint8Array): void; closed(code: number, reason: string): void }): Transport {
    const { world } = this;
    const conn = world.model.connect();
    let open = true;
    const close = () => {
      open = false;
      conn.close();
    };
    this.#closeConnection = close;
    const flush = () => {
      for (const each of world.model.conns) {
        const tab = world.tabs.find((t) => t.#conn === each);
        for (const data of each.out.splice(0)) if (tab) world.later(`down ${tab.name}`, tab, () => tab.#receive?.(data));
      }
    };
    this.#conn = conn;
    this.#receive = (data) => {
      if (open && this.alive) events.message(data);
    };
    return {
      send: (message) =>
        world.later(`up ${this.name}`, this, () => {
          if (!open) return;
          conn.receive(message);
          flush();
        }),
      close,
    };
  }
  #conn: unknown;
  #receive: ((data: Uint8Array) => void) | undefined;
}

/** Some code is loaded late: waits until it is there, so that from now on it comes at once. */
export async function warm(): Promise<void> {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const world = new World();
  const tab = world.tab();
  tab.space;
  while (tab.client.status.state !== "live") await world.settle();
}

/** All promises that can settle have. */
async function turn(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
}
