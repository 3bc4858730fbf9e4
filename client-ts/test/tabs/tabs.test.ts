import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import fc from "fast-check";
import { TideError, createClient, memoryStore } from "../../src/index.js";
import { tabsEngine } from "../../src/tabs/tabs.js";
import { Tab, World, warm } from "./world.js";

beforeAll(warm);
afterAll(() => void vi.useRealTimers());

/** A space of each tab, and everything that had to happen first. */
async function open(world: World, n: number): Promise<Tab[]> {
  const tabs = Array.from({ length: n }, () => world.tab());
  for (const tab of tabs) tab.space;
  await world.settle();
  return tabs;
}

const cards = (tab: Tab) => tab.space.collection("cards");
const votes = (tab: Tab, id = "c1"): unknown => cards(tab).get(id)?.["votes"];
const settled = async (promise: Promise<unknown>): Promise<unknown> => {
  let state: unknown = "waiting";
  promise.then((value) => (state = value ?? "done"), (error) => (state = error));
  await new Promise((resolve) => setImmediate(resolve));
  return state;
};

describe("several tabs", () => {
  test("elect one that connects; all see what each writes at once, before it is durable", async () => {
    const world = new World();
    const [a, b, c] = (await open(world, 3)) as [Tab, Tab, Tab];
    expect([a, b, c].map((tab) => tab.leads)).toEqual([true, false, false]);
    expect(world.model.conns).toHaveLength(1);

    const heard: string[] = [];
    cards(c).query().subscribe((rows) => heard.push(rows.map((row) => `${row.id}:${row._state}:${row._version}`).join()));
    const write = cards(b).create({ title: "x", votes: 1 }, "c1");
    expect(cards(b).get("c1")).toMatchObject({ title: "x", _pending: true, _state: "local" }); // in its own tab before it returns
    expect(await settled(write.local)).toBe("waiting");
    await world.run("say t2 t1");
    await world.run("say t1 t3");
    expect(world.model.commits).toHaveLength(0);
    expect(cards(a).get("c1")).toMatchObject({ title: "x" });
    expect(cards(c).get("c1")).toMatchObject({ title: "x", _pending: true });
    await world.settle();
    expect(await settled(write.local)).toBe("done");
    expect(await settled(write.durable)).toMatchObject({ outcome: "applied", seq: 1 });
    for (const tab of [a, b, c]) expect(cards(tab).get("c1")).toMatchObject({ title: "x", _pending: false, _state: "durable", _version: 1 });
    expect(heard[0]).toBe("");
    expect(heard.at(-1)).toBe("c1:durable:1");
    expect(new Set(heard).size).toBe(heard.length); // nothing is told twice, and nothing flickers
    expect(b.client.status).toMatchObject({ state: "live", leader: false, pending: 0 });
    expect(b.space.status).toMatchObject({ state: "live", pending: 0 });
    expect(await b.space.stateHash()).toBe(await a.space.stateHash());
  });

  test("a tab that is alone says nothing about its edits", async () => {
    const world = new World();
    const [a] = (await open(world, 1)) as [Tab];
    const before = world.said;
    const write = cards(a).create({ title: "x" }, "c1");
    await world.settle();
    expect(await settled(write.durable)).toMatchObject({ outcome: "applied" });
    expect(world.said).toBe(before);
  });

  test("the row of a follower stays the same object while its edit makes its way", async () => {
    const world = new World();
    const [, b] = (await open(world, 2)) as [Tab, Tab];
    cards(b).create({ title: "x" }, "c1");
    cards(b).create({ title: "y" }, "c2");
    await world.settle();
    const rows = cards(b).query();
    const before = rows.get();
    const titles: unknown[] = [];
    rows.subscribe((list) => titles.push(list.map((row) => row["title"]).join()));
    cards(b).update("c1", (draft) => (draft.title = "z"));
    await world.settle();
    expect(rows.get()[1]).toBe(before[1]);
    expect(titles[0]).toBe("x,y");
    expect(titles.slice(1).every((each) => each === "z,y")).toBe(true); // never back to x
  });

  test("a leader that is killed is replaced at once; nothing is lost or done twice", async () => {
    const world = new World();
    const [a, b, c] = (await open(world, 3)) as [Tab, Tab, Tab];
    cards(b).create({ votes: 0 }, "c1");
    await world.settle();
    const write = cards(b).update("c1", (draft) => draft.votes.add ? draft.votes.add(1) : (draft.votes = 1));
    a.kill();
    await world.settle();
    expect([b.leads, c.leads]).toEqual([true, false]);
    expect(await settled(write.durable)).toMatchObject({ outcome: "applied" });
    expect(votes(b)).toBe(1);
    expect(votes(c)).toBe(1);
    b.kill();
    cards(c).update("c1", (draft) => (draft.title = "t"));
    await world.settle();
    expect(c.leads).toBe(true);
    expect(world.model.value("c1", "title")).toBe("t");
  });

  test("what a dead leader had stored, and not told, is not queued again, and its verdict comes", async () => {
    const world = new World();
    const [a, b] = (await open(world, 2)) as [Tab, Tab];
    const write = b.space.mutateOps([{ kind: "create", collection: "cards", id: "c1", fields: [{ field: "votes", value: 1 }] }]);
    // The leader hears of it and stores it; then it dies, before it has said a word.
    const stored = () => [...world.disk.keys()].some((key) => key.startsWith("q"));
    await world.run("say t2 t1");
    await world.run("disk t1");
    expect(stored()).toBe(true);
    a.kill(99);
    expect(await settled(write.local)).toBe("waiting");
    while ((await settled(write.local)) === "waiting") await world.step();
    expect(world.model.commits).toHaveLength(0);
    expect(await settled(write.durable)).toBe("waiting"); // the new leader knows it by its content
    await world.settle();
    expect(await settled(write.durable)).toMatchObject({ outcome: "applied", seq: 1 });
    expect(world.model.commits).toHaveLength(1);
  });

  test("a rejection reaches the tab that made the edit, and can be discarded in another", async () => {
    const world = new World();
    const [a, b, c] = (await open(world, 3)) as [Tab, Tab, Tab];
    const write = cards(b).delete("missing");
    await world.settle();
    await expect(write.durable).rejects.toMatchObject({ code: "missing" });
    for (const tab of [a, b, c]) expect(tab.space.rejected.get()).toHaveLength(1);
    c.space.rejected.get()[0]!.discard();
    expect(c.space.rejected.get()).toHaveLength(0);
    await world.settle();
    for (const tab of [a, b, c]) expect(tab.space.rejected.get()).toHaveLength(0);
  });

  test("a rejected edit is retried in a follower, and leaves the list with it", async () => {
    const world = new World();
    const [a, b] = (await open(world, 2)) as [Tab, Tab];
    cards(b).delete("c9");
    await world.settle();
    const [item] = b.space.rejected.get();
    const write = item!.edit((tx) => tx.create("cards", { title: "x" }, "c10"));
    expect(b.space.rejected.get()).toHaveLength(0);
    await world.settle();
    expect(await settled(write.durable)).toMatchObject({ outcome: "applied" });
    expect(a.space.rejected.get()).toHaveLength(0);
    expect(world.model.value("c10", "title")).toBe("x");
  });

  test("what the leader cannot take is refused to the follower, and leaves its view", async () => {
    const world = new World();
    const [, b] = (await open(world, 2)) as [Tab, Tab];
    const write = cards(b).create({ text: "x".repeat(200_000) }, "c1");
    expect(cards(b).get("c1")).toBeDefined();
    await world.settle();
    await expect(write.local).rejects.toMatchObject({ code: "invalid" });
    expect(cards(b).get("c1")).toBeUndefined();
    expect(b.client.status.pending).toBe(0);
  });

  test("presence, fetches and exports of a follower go through the leader", async () => {
    const world = new World();
    const [a, b] = (await open(world, 2)) as [Tab, Tab];
    b.space.presence.set({ cursor: 1 });
    const exported = b.client.export();
    await world.settle();
    expect((await exported).length).toBeGreaterThan(16);
    expect(Buffer.compare(await exported, await a.client.export())).toBe(0);
  });

  test("a space is released when the last tab that needs it lets go, or dies", async () => {
    const world = new World();
    const [, b, c] = (await open(world, 3)) as [Tab, Tab, Tab];
    const extra = b.client.space("extra");
    c.client.space("extra");
    await world.settle();
    const subscribed = () => world.model.conns.flatMap((conn) => [...conn.subs.values()]).length;
    expect(subscribed()).toBe(2);
    extra.close();
    await world.settle();
    expect(subscribed()).toBe(2);
    c.kill();
    await world.settle();
    expect(subscribed()).toBe(1);
  });

  test("signing out in a follower empties the store and ends all tabs", async () => {
    const world = new World();
    const [a, b, c] = (await open(world, 3)) as [Tab, Tab, Tab];
    cards(b).create({ title: "x" }, "c1");
    await expect(b.client.signOut()).rejects.toMatchObject({ code: "unsynced" });
    await world.settle();
    expect(world.disk.size).toBeGreaterThan(0);
    const done = b.client.signOut();
    await world.settle();
    await done;
    expect(world.disk.size).toBe(0);
    for (const tab of [a, c]) {
      expect(tab.client.status).toMatchObject({ state: "stopped", lastError: { code: "closed" } });
      expect(() => cards(tab).create({})).toThrow(TideError);
    }
    const next = world.tab();
    next.space;
    await world.settle();
    expect(next.leads).toBe(true);
  });

  test("a leader that is closed hands over in order", async () => {
    const world = new World();
    const [a, b] = (await open(world, 2)) as [Tab, Tab];
    const closing = a.client.close();
    const write = cards(b).create({ title: "x" }, "c1");
    await world.settle();
    await closing;
    expect(b.leads).toBe(true);
    expect(await settled(write.durable)).toMatchObject({ outcome: "applied" });
    await expect(a.client.close()).resolves.toBeUndefined();
  });

  test("tabs with other code do not talk; the status says what to do, and edits wait", async () => {
    const world = new World();
    const [a] = (await open(world, 1)) as [Tab];
    const newer = new Tab(world, "newer", 1);
    world.tabs.push(newer);
    const b = world.tab();
    b.space;
    newer.space;
    await world.settle();
    // The one with other code hears only strangers.
    expect(newer.client.status.lastError).toMatchObject({ code: "tab-version" });
    expect(b.client.status.lastError).toBeUndefined();
    const early = newer.space.mutateOps([{ kind: "create", collection: "cards", id: "c1", fields: [] }]);
    a.kill();
    b.kill();
    await world.settle();
    expect(newer.leads).toBe(true);
    expect(newer.client.status.lastError).toBeUndefined();
    expect(await settled(early.durable)).toMatchObject({ outcome: "applied" });
  });

  test("a dead leader's last announcement, behind the next one's, counts for nothing", async () => {
    const world = new World();
    const [a, b, c] = [world.tab(), world.tab(), world.tab()];
    for (const tab of [a, b, c]) tab.space;
    world.late.add("say t1 t3");
    await world.settle();
    expect(world.lanes.get("say t1 t3")?.steps.length).toBeGreaterThan(0);
    a.kill();
    await world.settle();
    expect(b.leads).toBe(true);
    world.late.clear();
    await world.settle();
    cards(b).create({ title: "x" }, "c1");
    const write = cards(c).create({ title: "y" }, "c2");
    await world.settle();
    expect(cards(c).query().get().map((row) => row["title"])).toEqual(["x", "y"]);
    expect(await settled(write.durable)).toMatchObject({ outcome: "applied" });
  });

  test("a message that was lost is noticed, and the follower is told everything", async () => {
    const world = new World();
    const [a, b] = (await open(world, 2)) as [Tab, Tab];
    cards(a).create({ title: "x" }, "c1");
    do world.lanes.delete("say t1 t2");
    while (await world.step());
    expect(cards(b).get("c1")).toBeUndefined();
    cards(a).create({ title: "y" }, "c2");
    await world.settle();
    expect(cards(b).query().get().map((row) => row["title"])).toEqual(["x", "y"]);
  });
});

test("any deaths, at any message: each edit that was promised is there once, and all tabs end alike", async () => {
  const action = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("edit" as const), tab: fc.nat(9) }) },
    { weight: 12, arbitrary: fc.record({ kind: fc.constant("steps" as const), n: fc.integer({ min: 1, max: 6 }) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("kill" as const), tab: fc.nat(9), lost: fc.nat(3), torn: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("leader" as const), lost: fc.nat(9), torn: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("open" as const) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 60 }), fc.infiniteStream(fc.nat(1 << 20)), async (actions, draws) => {
      const world = new World();
      const draw = (n: number) => (n === 0 ? 0 : (draws.next().value as number) % n);
      const made: { field: string; tab: Tab; local: boolean; settled: boolean; failed: unknown }[] = [];
      let died = false;
      const first = world.tab();
      const create = first.space.mutate((tx) => tx.create("cards", { title: "t" }, "c1"));
      await world.settle();
      await create.durable;
      const alive = () => world.tabs.filter((tab) => tab.alive);
      for (const each of actions) {
        const tabs = alive();
        if (each.kind === "open" && tabs.length < 4) world.tab().space;
        if (each.kind === "steps") {
          for (let i = 0; i < each.n; i++) {
            await world.step(draw);
            // However an edit makes its way, nobody ever sees it twice, and its own tab always.
            // (After a crash a verdict may be lost, and then for a moment a client cannot know
            // which of the commits that it gets is its own.)
            for (const t of died ? [] : alive()) {
              const row = cards(t).get("c1") ?? {};
              for (const { field, tab: maker } of made) expect(maker === t ? [1] : [undefined, 1], `${field} in ${t.name}`).toContain(row[field as never]);
            }
          }
        }
        const tab = each.kind === "leader" ? tabs.find((t) => t.leads) : tabs["tab" in each ? each.tab % Math.max(tabs.length, 1) : 0];
        if (!tab) continue;
        died ||= (each.kind === "kill" || each.kind === "leader") && tab.leads;
        if (each.kind === "kill" || each.kind === "leader") tab.kill(each.lost, each.torn);
        if (each.kind === "edit" && tab.space.data) {
          const entry = { field: `f${made.length}`, tab, local: false, settled: false, failed: undefined as unknown };
          made.push(entry);
          const write = tab.space.mutateOps([{ kind: "add", collection: "cards", id: "c1", field: entry.field, value: 1 }]);
          write.local.then(() => (entry.local = true), (error) => (entry.failed = error));
          write.durable.then(() => (entry.settled = true), (error) => (entry.failed = error));
          expect(cards(tab).get("c1")?.[entry.field]).toBe(1);
        }
      }
      if (alive().length === 0) world.tab();
      for (const tab of alive()) tab.space;
      await world.settle(draw);
      const record = Object.fromEntries((world.model.records.get("cards.c1")?.fields ?? []).map((f) => [f.field, f.value]));
      for (const { field, tab, local, settled, failed } of made) {
        if (tab.alive || local) expect(record[field], `${field} of ${tab.name} was promised`).toBe(1);
        else expect([undefined, 1], `${field} of ${tab.name}, which died`).toContain(record[field]);
        if (tab.alive) expect({ field, local, settled, failed }).toEqual({ field, local: true, settled: true, failed: undefined });
      }
      expect(alive().filter((tab) => tab.leads)).toHaveLength(1);
      for (const tab of alive()) {
        expect(await tab.space.stateHash()).toBe(world.model.hash());
        expect(tab.client.status).toMatchObject({ pending: 0, state: "live", lastError: undefined });
        const row = cards(tab).get("c1") as Record<string, unknown>;
        expect(row["_pending"]).toBe(false);
        for (const { field } of made) expect(row[field]).toBe(record[field]);
      }
    }),
    { numRuns: 100 },
  );
});

describe("without locks or channels", () => {
  test.each([
    ["no locks", { navigator: undefined }],
    ["no channel", { navigator: { locks: { request: () => Promise.reject(new Error("not to be asked")) } }, BroadcastChannel: undefined }],
  ])("each tab runs by itself: %s", async (_, globals) => {
    for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value);
    const client = createClient({ url: "ws://x", store: { ...memoryStore(), name: "app" }, dial: () => Promise.reject(new TideError("unreachable", "no gateway here")) });
    const space = client.space("board");
    const write = space.collection("cards").create({ title: "x" }, "c1");
    await write.local;
    expect(client.status.leader).toBe(true);
    expect(space.collection("cards").get("c1")).toMatchObject({ title: "x", _state: "local" });
    await client.close();
    vi.unstubAllGlobals();
  });
});

describe.skipIf(typeof BroadcastChannel === "undefined")("with the channel of Node", () => {
  test("tabs follow, and take over in less than a second", async () => {
    const world = new World();
    // Real locks as far as they are needed here: one name, held in order.
    const queues = new Map<string, { held: () => Promise<void>; signal: AbortSignal }[]>();
    const next = (name: string): void => {
      const first = queues.get(name)?.[0];
      if (first) void Promise.resolve().then(first.held).finally(() => { queues.set(name, (queues.get(name) ?? []).filter((each) => each !== first)); next(name); });
    };
    const shared = memoryStore();
    const make = () =>
      createClient({
        url: "ws://x",
        store: { ...shared, name: "node", close: async () => {} },
        dial: () => Promise.reject(new TideError("unreachable", "no gateway here")),
        now: () => world.now,
        engine: (options) =>
          tabsEngine(options, {
            lock: (name, held, signal) => {
              const waiting = queues.get(name) ?? [];
              queues.set(name, [...waiting, { held, signal }]);
              if (waiting.length === 0) next(name);
            },
            channel: (name) => new BroadcastChannel(name) as never,
          }),
      });
    const [a, b] = [make(), make()];
    const [left, right] = [a.space("board"), b.space("board")];
    await Promise.all([left.ready, right.ready]);
    expect([a.status.leader, b.status.leader]).toEqual([true, false]);
    const seen = new Promise<void>((resolve) => left.collection("cards").query().subscribe((rows) => rows.length === 1 && resolve()));
    await right.collection("cards").create({ title: "x" }, "c1").local;
    await seen;
    const leads = new Promise<void>((resolve) => b.onStatus((status) => status.leader && resolve()));
    await a.close();
    await leads;
    expect(right.collection("cards").get("c1")).toMatchObject({ title: "x" });
    await b.close();
  });
});
