// Two clients and the real gateway.
import { afterAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { Client, Counter, ListOf, SetOf, Space, Status, Store, WebSocketLike } from "../../src/index.js";
import { Rejected, TideError, createClient, memoryStore } from "../../src/index.js";
import { defineSchema } from "../../src/schema/index.js";
import { Gateway, missing, run, write } from "./gateway.js";

interface Board {
  cards: {
    title: string;
    votes?: Counter;
    labels?: SetOf<string>;
    steps?: ListOf<string>;
    assignee?: string;
    price?: number;
    due?: { start: number; end: number };
  };
}

const cards = {
  type: "object",
  required: ["title"],
  properties: {
    title: { type: "string", minLength: 1 },
    votes: { type: "integer", "x-merge": "counter" },
    labels: { type: "array", items: { type: "string" }, "x-merge": "set" },
    steps: { type: "array", items: { type: "string" }, "x-merge": "list" },
    assignee: { type: "string", "x-merge": "ask" },
    price: { type: "number", "x-merge": "strict" },
    due: {
      type: "object",
      properties: { start: { type: "integer", "x-merge-group": "due" }, end: { type: "integer", "x-merge-group": "due" } },
    },
  },
};
const schema = defineSchema<Board>({ collections: { cards } });

const webSocket = WebSocket as unknown as new (url: string, protocols: string[]) => WebSocketLike;
const clients: Client[] = [];

function open(url: string, options: { store?: Store; token?: (fresh: boolean) => string | Promise<string> } = {}): Client<Board> {
  const client = createClient<Board>({ url, schema, webSocket, backoff: { min: 5, max: 100 }, ...options });
  clients.push(client);
  return client;
}

/** Resolves once the status is as wanted. */
function until(client: Client<any>, holds: (status: Status) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const stop = client.engine.watch(() => look());
    const look = () => {
      if (!holds(client.status)) return;
      stop();
      resolve();
    };
    look();
  });
}

/** Resolves once both show the same, and have nothing more to send. */
async function same(...spaces: Space<any>[]): Promise<void> {
  await Promise.all(spaces.map((s) => s.drained()));
  const seq = Math.max(...spaces.map((s) => s.status?.cursor.seq ?? 0));
  await Promise.all(spaces.map((s) => s.waitFor(seq)));
  for (const s of spaces) expect(await s.stateHash()).toBe(await spaces[0]?.stateHash());
}

/** Resolves once a list is as wanted. */
function shows<T>(list: { subscribe(listener: (value: T) => void): () => void }, holds: (value: T) => boolean): Promise<T> {
  return new Promise((resolve) => {
    let stop: (() => void) | undefined;
    const done = (value: T) => {
      if (!holds(value)) return;
      queueMicrotask(() => stop?.());
      resolve(value);
    };
    stop = list.subscribe(done);
  });
}

if (missing && process.env["CI"]) throw new Error(missing);

describe.skipIf(missing)("with the real gateway", () => {
  afterAll(async () => {
    await Promise.all(clients.map((c) => c.close()));
  });

  test("edits travel, merge, conflict and are rejected", async () => {
    write("schema/cards.json", JSON.stringify(cards));
    const gateway = await Gateway.start("--store", "memory:", "--listen", "127.0.0.1:0", "--schema", "schema");
    const [ada, ben] = [open(gateway.url).space("board"), open(gateway.url).space("board")];
    const [mine, theirs] = [ada.collection("cards"), ben.collection("cards")];

    const made = mine.create({ title: "Milk", votes: 0, labels: ["red"], steps: ["go", "pay"], due: { start: 1, end: 2 } }, "c1");
    await made.local;
    expect(mine.get("c1")).toMatchObject({ id: "c1", title: "Milk", labels: ["red"], _pending: true, due: { start: 1, end: 2 } });
    expect(mine.get("c1")?.steps?.map((s) => s.value)).toEqual(["go", "pay"]);
    expect((await made.durable).outcome).toBe("applied");
    await shows(theirs.query(), (rows) => rows.length === 1);

    // Both at once, and nothing is lost.
    const offline = [ada, ben].map((s, i) =>
      s.collection("cards").update("c1", (c) => {
        c.votes.add(i + 1);
        c.labels.add(`from ${i}`);
        c.steps.push(`step ${i}`);
      }),
    );
    await Promise.all(offline.map((w) => w.durable));
    await same(ada, ben);
    expect(theirs.get("c1")).toMatchObject({ votes: 3, _state: "durable", _pending: false });
    expect([...(theirs.get("c1")?.labels ?? [])].sort()).toEqual(["from 0", "from 1", "red"]);
    const row = theirs.get("c1");
    const steps = row?.steps ?? [];
    theirs.update("c1", (c) => {
      c.steps.move(steps.at(-1)!.id, 0);
      c.steps.remove(steps[0]!.id);
      c.due.end = 3;
    });
    await same(ada, ben);
    expect(mine.get("c1")?.due).toEqual({ start: 1, end: 3 });
    expect(mine.get("c1")?.steps?.length).toBe(3);
    expect(mine.get("c1")?.steps?.[0]?.id).toBe(steps.at(-1)?.id);
    expect(theirs.get("c1"), "the same row as long as nothing in it differs").toBe(theirs.get("c1"));

    // What the schema refuses never enters the queue.
    expect(() => mine.update("c1", (c) => (c.title = ""))).toThrow(TideError);
    expect(ada.data?.status.pending).toBe(0);
    // What only the gateway can refuse is kept, with the reason.
    const missingCard = mine.update("nowhere", (c) => (c.title = "x"));
    const why = await missingCard.durable.catch((error: unknown) => error);
    expect(why).toBeInstanceOf(Rejected);
    expect((why as Rejected).code).toBe("missing");
    expect(ada.rejected.get().length).toBe(1);
    mine.create({ title: "now it is there" }, "nowhere");
    await (why as Rejected).retry().durable;
    expect(mine.get("nowhere")?.title).toBe("x");
    expect(ada.rejected.get()).toEqual([]);

    // A conflict that a person settles.
    const both = [mine, theirs].map((cards, i) => cards.update("c1", (c) => (c.assignee = ["ada", "ben"][i]!)));
    await Promise.allSettled(both.map((w) => w.durable));
    await same(ada, ben);
    const [conflict] = await shows(ada.conflicts, (list) => list.length === 1);
    expect(conflict).toMatchObject({ open: true, collection: "cards", record: "c1", field: "assignee", policy: "ask" });
    expect([conflict?.mine.value, conflict?.theirs.value]).toEqual(["ada", "ben"]);
    expect(mine.get("c1")?._conflict).toBe(true);
    await conflict?.keepTheirs().durable;
    await same(ada, ben);
    expect(mine.get("c1")).toMatchObject({ assignee: "ben", _conflict: false });
    expect(ben.conflicts.get()).toEqual([]);

    // Who is there.
    ada.presence.set({ cursor: [3, 14] });
    const [person] = await shows(ben.presence, (list) => list.length === 1);
    expect(person?.value).toEqual({ cursor: [3, 14] });
    ada.presence.set(undefined);
    await shows(ben.presence, (list) => list.length === 0);
    await gateway.kill();
  });

  test("the gateway is killed and started again while both write", async () => {
    const args = ["--store", "file:killed.db"];
    let gateway = await Gateway.start(...args, "--listen", "127.0.0.1:0");
    const { address } = gateway;
    const store = memoryStore();
    const ada = open(gateway.url, { store });
    const ben = open(gateway.url);
    const spaces = [ada.space("killed"), ben.space("killed")];
    await spaces[0]!.mutate((tx: any) => tx.create("cards", { title: "all", tags: [] }, "all")).durable;
    const writes: Promise<unknown>[] = [];
    let made = 0;
    for (let round = 0; round < 4; round++) {
      for (let n = 0; n < 10; n++) {
        for (const [i, space] of spaces.entries()) {
          writes.push(space.collection("cards").create({ title: `${round}-${i}-${n}` } as any).durable);
          made++;
        }
        if (n === 5 + round) await gateway.kill();
        await new Promise((resolve) => setImmediate(resolve));
      }
      gateway = await Gateway.start(...args, "--listen", address);
    }
    await Promise.all(writes);
    await same(...spaces);
    expect(spaces[0]!.collection("cards").query().get().length).toBe(made + 1);
    // What is long comes packed.
    await spaces[0]!.collection("cards").create({ title: "and so on, ".repeat(1000) }).durable;
    await same(...spaces);
    made++;
    expect(ben.stats?.rawIn).toBeGreaterThan((ben.stats?.bytesIn ?? 0) + 9000);
    // A new device has the same.
    const cleo = open(gateway.url);
    const late = cleo.space("killed");
    await late.waitFor(spaces[0]!.status!.cursor.seq);
    expect(await late.stateHash()).toBe(await spaces[0]!.stateHash());
    // What is in the store is all that a new run needs.
    const before = await spaces[0]!.stateHash();
    await ada.close();
    const again = createClient<any>({ url: "http://127.0.0.1:1", store, webSocket });
    clients.push(again);
    const space = again.space("killed");
    await space.ready;
    expect(await space.stateHash()).toBe(before);
    await gateway.kill();
  });

  test("tokens end, are refreshed and are refused", async () => {
    const secret = write("secret", "0123456789abcdef0123456789abcdef");
    const gateway = await Gateway.start("--store", "memory:", "--listen", "127.0.0.1:0", "--auth-secret-file", secret);
    const mint = (user: string, ttl: string) =>
      run("token", "--user", user, "--space", "*=write", "--ttl", ttl, "--auth-secret-file", secret);
    let asked = 0;
    let good = true;
    const ada = open(gateway.url, { token: () => (asked++, good ? mint("ada", "4s") : "not a token") });
    const space = ada.space("board");
    await space.mutate((tx: any) => tx.create("cards", { title: "x" }, "1")).durable;
    expect(ada.status.user).toBe("ada");
    // Two more tokens later, it is still the first connection.
    await new Promise<void>((resolve) => {
      const wait = setInterval(() => {
        if (asked < 3) return;
        clearInterval(wait);
        resolve();
      }, 20);
    });
    await space.mutate((tx: any) => tx.update("cards", "1", (c: any) => (c.title = "y"))).durable;
    expect(ada.stats?.connections).toBe(1);

    // Refused: the queue is kept, and the status says why.
    good = false;
    const ben = open(gateway.url, { token: () => (good ? mint("ben", "1h") : "not a token") });
    const late = ben.space("board").mutate((tx: any) => tx.create("cards", { title: "z" }, "2"));
    await late.local;
    await until(ben, (s) => s.lastError?.code === "token");
    expect(ben.status.pending).toBe(1);
    good = true;
    ben.reconnect();
    await late.durable;
    expect(ben.status).toMatchObject({ state: "live", user: "ben", pending: 0, lastError: undefined });

    // Not allowed: the space is parked, and goes on with a token that allows it.
    let pattern = "other-*=write";
    const eve = open(gateway.url, {
      token: () => run("token", "--user", "eve", "--space", pattern, "--ttl", "1h", "--auth-secret-file", secret),
    });
    const parked = eve.space("board");
    const kept = parked.mutate((tx: any) => tx.create("cards", { title: "w" }, "3"));
    await until(eve, (s) => s.lastError?.code === "forbidden");
    expect(parked.status).toMatchObject({ state: "parked", pending: 1 });
    pattern = "board=write";
    await gateway.kill();
    const next = await Gateway.start("--store", "memory:", "--listen", gateway.address, "--auth-secret-file", secret);
    await kept.durable;
    expect(parked.status?.state).not.toBe("parked");
    await next.kill();
  });

  test("nothing there, or something else", async () => {
    const wrong = open("ftp://nowhere");
    await until(wrong, (s) => s.state === "stopped");
    expect(wrong.status.lastError?.code).toBe("url");
    const write = wrong.space("board").collection("cards").create({ title: "works offline" });
    await write.local;
    expect(wrong.status.pending).toBe(1);

    const nobody = open("http://127.0.0.1:1");
    await until(nobody, (s) => s.lastError !== undefined);
    expect(nobody.status).toMatchObject({ lastError: { code: "unreachable" } });
    expect(["offline", "connecting"]).toContain(nobody.status.state);

    const noToken = open("http://127.0.0.1:1", { token: () => Promise.reject(new Error("the user is not logged in")) });
    await until(noToken, (s) => s.lastError !== undefined);
    expect(noToken.status.lastError).toMatchObject({ code: "no-token", message: "the user is not logged in" });

    const unsent = expect(write.durable).rejects.toMatchObject({ code: "closed" });
    await expect(wrong.signOut()).rejects.toMatchObject({ code: "unsynced" });
    expect((await wrong.export()).length).toBeGreaterThan(100);
    await wrong.signOut({ discard: true });
    await unsent;
  });
});
