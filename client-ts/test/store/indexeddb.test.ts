import { afterEach, expect, test, vi } from "vitest";
import fc from "fast-check";
import { IDBFactory, IDBObjectStore } from "fake-indexeddb";
import { indexedDBStore } from "../../src/store/indexeddb.js";
import type { Entry } from "../../src/store/store.js";
import { batch, conformance, entry, fails, plain } from "./conformance.js";

conformance("indexedDBStore", () => {
  const indexedDB = new IDBFactory();
  return { open: () => indexedDBStore("test", { indexedDB }) };
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** Opens the database beside the store. */
function open(indexedDB: IDBFactory, version: number): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("tidegate:test", version);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error as Error);
  });
}

function remove(indexedDB: IDBFactory): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase("tidegate:test");
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error as Error);
    request.onblocked = () => reject(new Error("blocked: the store stands in the way"));
  });
}

test("writes are asked to be durable strictly", async () => {
  const indexedDB = new IDBFactory();
  const store = indexedDBStore("test", { indexedDB });
  await store.load();
  const database = await open(indexedDB, 2);
  const transaction = vi.spyOn(Object.getPrototypeOf(database) as IDBDatabase, "transaction");
  await store.write(batch([entry("a", "1")]));
  expect(transaction.mock.calls.map((call) => call[2])).toEqual([{ durability: "strict" }]);
});

/** What the database itself holds. */
async function held(indexedDB: IDBFactory) {
  const database = await open(indexedDB, 2);
  const tables = database.transaction(["entries", "packs"]);
  const all = (table: string) => new Promise<unknown[]>((resolve) => {
    const request = tables.objectStore(table).getAll();
    request.onsuccess = () => resolve(request.result);
  });
  const [entries, packs] = await Promise.all([all("entries"), all("packs")]);
  database.close();
  return { entries, packs: packs as Uint8Array[] };
}

const numbered = (n: number, value = "v") => Array.from({ length: n }, (_, i) => entry(`k${String(i).padStart(5, "0")}`, value));

test("a large batch is one transaction that lets others have their turn", async () => {
  const indexedDB = new IDBFactory();
  const store = indexedDBStore("test", { indexedDB });
  await store.load();
  let made = 0;
  let most = 0;
  let before = 0;
  let over = false;
  const watch = () => {
    most = Math.max(most, made - before);
    before = made;
    if (!over) setImmediate(watch);
  };
  setImmediate(watch);
  const value = new Uint8Array(100);
  await store.write(batch(numbered(5_000).map(({ key }) => ({ key, get value() { made++; return value; } }))));
  over = true;
  expect(made).toBe(5_000); // each once
  expect(most).toBeLessThanOrEqual(1_000);
  const { entries, packs } = await held(indexedDB);
  expect(entries).toEqual([]);
  expect(packs.length).toBeLessThan(20);
  expect(Math.max(...packs.map((pack) => pack.length))).toBeLessThan(70_000);
});

test("a large batch among much more is not packed, and lets others have their turn", async () => {
  const indexedDB = new IDBFactory();
  const store = indexedDBStore("test", { indexedDB });
  await store.load();
  await store.write(batch(numbered(9_000)));
  const put = vi.spyOn(IDBObjectStore.prototype, "put");
  let most = 0;
  let before = 0;
  let over = false;
  const watch = () => {
    most = Math.max(most, put.mock.calls.length - before);
    before = put.mock.calls.length;
    if (!over) setImmediate(watch);
  };
  setImmediate(watch);
  await store.write(batch(numbered(2_000, "w")));
  over = true;
  expect(put.mock.calls.length).toBe(2_000);
  expect(most).toBeLessThanOrEqual(1_000);
  expect(plain(await store.load())).toEqual(plain([...numbered(2_000, "w"), ...numbered(9_000).slice(2_000)]));
});

test("a deletion of what may be packed is remembered, another is not", async () => {
  const indexedDB = new IDBFactory();
  const store = indexedDBStore("test", { indexedDB });
  await store.load();
  await store.write(batch([entry("a", "1"), ...numbered(1_000), entry("z", "1")]));
  await store.write(batch([entry("l", "1")]));
  await store.write(batch([], ["l", "k00007", "z"]));
  expect((await held(indexedDB)).entries).toEqual([null, null]);
  expect(plain(await store.load())).toEqual(plain([entry("a", "1"), ...numbered(1_000).filter((_, i) => i !== 7)]));
  await store.write(batch([entry("k00007", "again")]));
  expect((await store.load()).length).toBe(1_001);
  await store.clear();
  expect(await store.load()).toEqual([]);
});

test("what an older layout holds is all there, and is packed", async () => {
  const indexedDB = new IDBFactory();
  const older = await new Promise<IDBDatabase>((resolve) => {
    const request = indexedDB.open("tidegate:test", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("entries");
      request.result.createObjectStore("meta");
    };
    request.onsuccess = () => resolve(request.result);
  });
  const all = numbered(2_000);
  await new Promise<void>((resolve) => {
    const transaction = older.transaction(["entries", "meta"], "readwrite");
    transaction.oncomplete = () => resolve();
    for (const { key, value } of all) transaction.objectStore("entries").put(value, key as Uint8Array<ArrayBuffer>);
    transaction.objectStore("meta").put(3, "owner");
  });
  older.close();
  const store = indexedDBStore("test", { indexedDB });
  expect(plain(await store.load())).toEqual(plain(all));
  await store.write(batch([entry("k00001", "w")], ["k00002"])); // behind the packing
  const { entries, packs } = await held(indexedDB);
  expect([entries.length, packs.length]).toEqual([2, 1]);
  const rest = [all[0]!, entry("k00001", "w"), ...all.slice(3)];
  expect(plain(await store.load())).toEqual(plain(rest));
});

test("any mix of large and small batches leaves what a map would hold", async () => {
  const step = fc.record({
    from: fc.nat(900), puts: fc.oneof(fc.nat(4), fc.integer({ min: 500, max: 700 })), value: fc.uint8Array({ maxLength: 3 }),
    deletes: fc.array(fc.nat(1_500), { maxLength: 4 }), reload: fc.boolean(),
  });
  const key = (i: number) => Uint8Array.from([97 + (i % 3), i >> 8, i & 255]);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 6 }), async (steps) => {
      const indexedDB = new IDBFactory();
      let store = indexedDBStore("test", { indexedDB });
      await store.load();
      const model = new Map<string, Entry>();
      for (const { from, puts, value, deletes, reload } of steps) {
        const some = Array.from({ length: puts }, (_, i) => ({ key: key(from + i), value }));
        const gone = [...new Set(deletes)].filter((i) => i < from || i >= from + puts).map(key);
        await store.write({ token: 0, puts: some.reverse(), deletes: gone });
        for (const put of some) model.set(put.key.join(), put);
        for (const each of gone) model.delete(each.join());
        if (reload) {
          await store.close();
          store = indexedDBStore("test", { indexedDB });
          await store.load();
        }
      }
      const expected = [...model.values()].sort((a, b) => Buffer.compare(a.key, b.key));
      expect(plain(await store.load())).toEqual(plain(expected));
      await store.close();
    }),
    { numRuns: 40 },
  );
});

test("a pack that is cut off is corrupt", async () => {
  const indexedDB = new IDBFactory();
  const store = indexedDBStore("test", { indexedDB });
  await store.load();
  await store.write(batch(numbered(1_000)));
  const database = await open(indexedDB, 2);
  await new Promise<void>((resolve) => {
    const transaction = database.transaction("packs", "readwrite");
    transaction.oncomplete = () => resolve();
    const get = transaction.objectStore("packs").get(0) as IDBRequest<Uint8Array>;
    get.onsuccess = () => transaction.objectStore("packs").put(get.result.slice(0, -1), 0);
  });
  database.close();
  await fails(store.load(), "corrupt");
});

test("no IndexedDB is unavailable, and so is one that throws", async () => {
  vi.stubGlobal("indexedDB", undefined);
  await fails(indexedDBStore("test").load(), "unavailable");
  const closed = { open: () => { throw new DOMException("no", "SecurityError"); } } as unknown as IDBFactory;
  await fails(indexedDBStore("test", { indexedDB: closed }).load(), "unavailable");
});

test("a database of newer code is left alone", async () => {
  const indexedDB = new IDBFactory();
  (await open(indexedDB, 3)).close();
  await fails(indexedDBStore("test", { indexedDB }).load(), "version");
});

test("a tab that keeps older code's database open blocks", async () => {
  const indexedDB = new IDBFactory();
  const real = indexedDB.open.bind(indexedDB);
  // As if the layout of this code were newer than that of a tab that does not give way.
  const older = await new Promise<IDBDatabase>((resolve) => {
    const request = real("tidegate:test", 2);
    request.onsuccess = () => resolve(request.result);
  });
  const newer = { open: (name: string) => real(name, 3) } as IDBFactory;
  await fails(indexedDBStore("test", { indexedDB: newer }).load(), "blocked");
  older.close();
});

test("a store gives way to newer code, and then stops", async () => {
  const indexedDB = new IDBFactory();
  const store = indexedDBStore("test", { indexedDB });
  await store.load();
  (await open(indexedDB, 3)).close();
  await fails(store.write(batch([entry("a", "1")])), "version");
});

test("a full disk is quota, and nothing of the batch is written", async () => {
  const indexedDB = new IDBFactory();
  const store = indexedDBStore("test", { indexedDB });
  await store.load();
  await store.write(batch([entry("a", "1")]));
  const put = IDBObjectStore.prototype.put;
  let puts = 0;
  const spy = vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(function (this: IDBObjectStore, ...args) {
    const request = put.apply(this as never, args as never) as unknown as IDBRequest;
    if (++puts === 2) {
      // What a browser does: the transaction is aborted with the error.
      const transaction = this.transaction as unknown as { _abort(name: string): void };
      queueMicrotask(() => transaction._abort("QuotaExceededError"));
    }
    return request as never;
  });
  await fails(store.write(batch([entry("a", "2"), entry("b", "2"), entry("c", "2")])), "quota");
  spy.mockRestore();
  expect(plain(await store.load())).toEqual(plain([entry("a", "1")]));
});

test("a database that is deleted under the store is gone, and stands in nobody's way", async () => {
  const indexedDB = new IDBFactory();
  const store = indexedDBStore("test", { indexedDB });
  await store.load();
  await store.write(batch([entry("a", "1")]));
  await remove(indexedDB);
  await fails(store.write(batch([entry("b", "1")])), "gone");
  expect(await store.load()).toEqual([]);
});

test("a lost connection is made again", async () => {
  const indexedDB = new IDBFactory();
  const store = indexedDBStore("test", { indexedDB });
  await store.load();
  const other = await open(indexedDB, 2);
  const transaction = vi.spyOn(Object.getPrototypeOf(other) as IDBDatabase, "transaction").mockImplementationOnce(() => {
    throw new DOMException("Connection to Indexed Database server lost", "UnknownError");
  });
  await store.write(batch([entry("a", "1")]));
  expect(transaction).toHaveBeenCalledTimes(2);
  transaction.mockImplementation(() => {
    throw new DOMException("Internal error", "UnknownError");
  });
  await fails(store.write(batch([entry("a", "2")])), "corrupt");
  transaction.mockRestore();
  expect(plain(await store.load())).toEqual(plain([entry("a", "1")]));
});

test("an eviction is noticed where the browser left a note", async () => {
  const notes = new Map<string, string>();
  vi.stubGlobal("localStorage", { getItem: (k: string) => notes.get(k) ?? null, setItem: (k: string, v: string) => void notes.set(k, v) });
  const indexedDB = new IDBFactory();
  const open = () => indexedDBStore("test", { indexedDB });
  const first = open();
  await first.load();
  expect(first.evicted).toBe(false);
  await first.close();
  const second = open();
  await second.load();
  expect(second.evicted).toBe(false);
  await second.clear(); // signing out is no eviction
  await second.close();
  const third = open();
  await third.load();
  expect(third.evicted).toBe(false);
  await third.close();
  await remove(indexedDB);
  const fourth = open();
  expect(await fourth.load()).toEqual([]);
  expect(fourth.evicted).toBe(true);
});

test("the browser is asked to keep the data, once, and only if wanted", async () => {
  const persist = vi.fn(async () => true);
  vi.stubGlobal("navigator", { storage: { persisted: async () => false, persist } });
  const indexedDB = new IDBFactory();
  const store = indexedDBStore("test", { indexedDB });
  await store.load();
  await vi.waitFor(() => expect(store.persistent).toBe(true));
  const other = indexedDBStore("other", { indexedDB, persist: false });
  await other.load();
  expect(other.persistent).toBe(false);
  expect(persist).toHaveBeenCalledTimes(1);
});
