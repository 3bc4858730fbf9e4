// The shell with a store and a connection that do what the test says.
import { afterEach, expect, test, vi } from "vitest";
import type { Client, EngineOptions, Store, Transport, TransportEvents } from "../../src/index.js";
import { StoreError, TideError, createClient, memoryStore } from "../../src/index.js";
import type { StoreErrorCode } from "../../src/index.js";
import { Model } from "./model.js";
import type { Conn } from "./model.js";

const clients: Client[] = [];
afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(clients.splice(0).map((c) => c.close()));
});

/** A line to a model of a gateway, which answers at once. */
class Line {
  events: TransportEvents | undefined;
  conn: Conn | undefined;
  dials = 0;
  closed: number[] = [];
  constructor(readonly gateway = new Model()) {}

  readonly dial: NonNullable<EngineOptions["dial"]> = async (events): Promise<Transport> => {
    this.dials++;
    this.events = events;
    const conn = (this.conn = this.gateway.connect());
    const flush = () => {
      for (const c of this.gateway.conns) queueMicrotask(() => deliver(c));
    };
    const deliver = (c: Conn) => {
      for (let m = c.out.shift(); m; m = c.out.shift()) if (c === this.conn) this.events?.message(m);
    };
    return {
      send: (message) => {
        conn.receive(message);
        flush();
      },
      close: (code) => {
        this.closed.push(code);
        conn.close();
      },
    };
  };

  breaks(code = 0): void {
    this.conn?.close();
    this.conn = undefined;
    this.events?.closed(code, code ? `closed with ${code}` : "");
  }
}

function open(options: Partial<EngineOptions> & { store?: Store } = {}): Client {
  const client = createClient<any>({ url: "ws://test", dial: new Line().dial, backoff: { min: 1, max: 2 }, ...options });
  clients.push(client);
  return client;
}

/** A store that fails as the test says. */
function failing(inner: Store = memoryStore()): Store & { fails: StoreErrorCode | undefined; written: number } {
  const check = () => {
    if (store.fails) throw new StoreError(store.fails, `it is ${store.fails}`);
  };
  const store = {
    fails: undefined as StoreErrorCode | undefined,
    written: 0,
    load: async () => (check(), inner.load()),
    write: async (batch: Parameters<Store["write"]>[0]) => (check(), store.written++, inner.write(batch)),
    clear: () => inner.clear(),
    close: () => inner.close(),
  };
  return store;
}

const told = (client: Client, code: string | undefined) => vi.waitFor(() => expect(client.status.lastError?.code).toBe(code), { timeout: 1e9 });

test("edits that are made before the store is loaded wait for it", async () => {
  const client = open();
  const cards = client.space("board").collection("cards");
  const seen: number[] = [];
  cards.query().subscribe((rows) => seen.push(rows.length));
  const write = cards.create({ title: "x" }, "1");
  const wrong = cards.create({ title: Number.NaN }, "2");
  expect(cards.get("1")).toBeUndefined();
  await expect(wrong.local).rejects.toMatchObject({ code: "invalid", field: "title" });
  await write.durable;
  expect(cards.get("1")).toMatchObject({ id: "1", title: "x", _state: "durable" });
  expect(seen.at(-1)).toBe(1);
  // Now such an edit is thrown at once, and nothing of it is kept.
  expect(() => cards.create({ title: Number.NaN }, "2")).toThrow(TideError);
  expect(cards.get("2")).toBeUndefined();
});

test("a store that is full is asked again, and nothing is lost", async () => {
  const store = failing();
  const client = open({ store });
  const cards = client.space("board").collection("cards");
  await cards.create({ title: "x" }, "1").durable;
  vi.useFakeTimers();
  store.fails = "quota";
  const write = cards.update("1", (c) => (c.title = "y"));
  await vi.advanceTimersByTimeAsync(1000);
  expect(client.status.lastError?.code).toBe("store-quota");
  expect(client.status.state).toBe("live");
  expect(cards.get("1")).toMatchObject({ title: "y", _state: "local" });
  store.fails = undefined;
  await vi.advanceTimersByTimeAsync(60_000);
  await write.durable;
  expect(client.status.lastError).toBeUndefined();
});

test("a store that fails for good stops the client, and says why", async () => {
  for (const code of ["gone", "in-use", "corrupt"] as const) {
    const store = failing();
    const client = open({ store });
    const cards = client.space("board").collection("cards");
    await cards.create({ title: "x" }, "1").durable;
    store.fails = code;
    const write = cards.update("1", (c) => (c.title = "y"));
    await expect(write.local).rejects.toMatchObject({ code: `store-${code}` });
    expect(client.status).toMatchObject({ state: "stopped", lastError: { code: `store-${code}` } });
    expect(cards.get("1")?.title, "reading goes on").toBe("y");
    expect(() => cards.update("1", (c) => (c.title = "z"))).toThrow(TideError);
  }
});

test("a store that cannot be opened says so, and can be opened later", async () => {
  const store = failing();
  store.fails = "version";
  const client = open({ store });
  const space = client.space("board");
  await expect(space.ready).rejects.toMatchObject({ code: "store-version" });
  expect(client.status).toMatchObject({ state: "stopped", lastError: { code: "store-version" } });
  const blocked = failing();
  blocked.fails = "blocked";
  const second = open({ store: blocked });
  await told(second, "store-blocked");
  blocked.fails = undefined;
  await second.space("board").ready;
  expect(second.status.lastError).toBeUndefined();
});

test("a damaged entry is named, and nothing is changed", async () => {
  const inner = memoryStore([{ key: Uint8Array.of(0x73, 0, 1, 0x61), value: Uint8Array.of(0x10, 1, 2) }]);
  const store = failing(inner);
  const client = open({ store });
  await expect(client.space("a").ready).rejects.toMatchObject({ code: "store-corrupt" });
  expect(store.written).toBe(0);
  const newer = open({ store: memoryStore([{ key: Uint8Array.of(0x73, 0, 1, 0x61), value: Uint8Array.of(0x20) }]) });
  await expect(newer.space("a").ready).rejects.toMatchObject({ code: "store-version" });
});

test("close codes decide: again, with a fresh token, or not", async () => {
  const line = new Line();
  const fresh: boolean[] = [];
  const client = open({ dial: line.dial, token: (f) => (fresh.push(f), "token") });
  const cards = client.space("board").collection("cards");
  await cards.create({ title: "x" }, "1").durable;
  line.breaks();
  await vi.waitFor(() => expect(line.dials).toBe(2), { timeout: 1e9 });
  await cards.update("1", (c) => (c.title = "y")).durable;
  line.breaks(4100);
  await vi.waitFor(() => expect(line.dials).toBe(3), { timeout: 1e9 });
  await cards.update("1", (c) => (c.title = "z")).durable;
  expect(fresh).toEqual([false, false, true]);
  line.breaks(4202);
  expect(client.status).toMatchObject({ state: "stopped", lastError: { code: "upgrade" } });
  const write = cards.update("1", (c) => (c.title = "kept"));
  await write.local;
  expect(client.status.pending).toBe(1);
  client.reconnect();
  await write.durable;
  expect(client.status).toMatchObject({ state: "live", pending: 0 });
});

test("a gateway that speaks a newer protocol stops the client", async () => {
  const line = new Line();
  const client = open({ dial: line.dial });
  await client.space("board").collection("cards").create({}, "1").durable;
  line.events?.message(Uint8Array.of(0x20, 0x91, 0x01));
  expect(client.status).toMatchObject({ state: "stopped", lastError: { code: "upgrade" } });
  expect(line.closed.at(-1)).toBe(4202);
});

test("spaces are counted, and a released one drains first", async () => {
  const line = new Line();
  const client = open({ dial: line.dial });
  const [one, two] = [client.space("board"), client.space("board")];
  expect(one).toBe(two);
  await one.collection("cards").create({}, "1").durable;
  one.close();
  expect(client.engine.space("board")).toBeDefined();
  const write = two.collection("cards").create({}, "2");
  two.close();
  await write.durable;
  await vi.waitFor(() => expect(line.conn?.subs.size).toBe(0), { timeout: 1e9 });
  const again = client.space("board");
  await again.ready;
  await again.waitFor(2);
  expect(again.collection("cards").query().get().length).toBe(2);
});

test("what a listener does is told after what it was told, and what it throws keeps nobody from being told", async () => {
  const client = open();
  const thrown: unknown[] = [];
  vi.stubGlobal("reportError", (error: unknown) => void thrown.push(error));
  const space = client.space("board");
  const cards = space.collection("cards");
  await cards.create({ n: 0 }, "1").durable;
  const seen: number[] = [];
  const stop = client.engine.watch(() => {
    throw new Error("the app's own");
  });
  cards.record("1").subscribe((row) => {
    const n = row?.["n"] as number;
    seen.push(n);
    if (n === 1) cards.update("1", (c) => (c.n = 2));
  });
  await cards.update("1", (c) => (c.n = 1)).durable;
  await space.drained();
  expect([...new Set(seen)]).toEqual([0, 1, 2]);
  expect(thrown.length).toBeGreaterThan(0);
  stop();
  vi.unstubAllGlobals();
});

test("a row is the same object until something in it differs", async () => {
  const line = new Line();
  const client = open({ dial: line.dial });
  const space = client.space("board");
  const cards = space.collection("cards");
  await cards.create({ title: "x", list: [1, 2] }, "1").durable;
  await cards.create({ title: "y" }, "2").durable;
  await space.drained();
  const rows = cards.query({ orderBy: { title: "asc" } }).get();
  await cards.update("2", (c) => (c.title = "z")).durable;
  await space.drained();
  expect(cards.get("1")).toBe(rows[0]);
  expect(cards.get("2")).not.toBe(rows[1]);
  expect(() => (cards.get("1") as any).list.push(3), "values are shared").toThrow(TypeError);
  expect(cards.update("1", (c) => (c.title = "x")), "an assignment of what is there is none").toBeDefined();
  expect(client.status.pending).toBe(0);
});
