import { afterEach, expect, test, vi } from "vitest";
import { IDBFactory, IDBObjectStore } from "fake-indexeddb";
import { indexedDBStore } from "../../src/store/indexeddb.js";
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
  const database = await open(indexedDB, 1);
  const transaction = vi.spyOn(Object.getPrototypeOf(database) as IDBDatabase, "transaction");
  await store.write(batch([entry("a", "1")]));
  expect(transaction.mock.calls.map((call) => call[2])).toEqual([{ durability: "strict" }]);
});

test("a large batch is one transaction that lets others have their turn", async () => {
  const store = indexedDBStore("test", { indexedDB: new IDBFactory() });
  await store.load();
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
  await store.write(batch(Array.from({ length: 5_000 }, (_, i) => entry(`k${i}`, "v"))));
  over = true;
  expect(put.mock.calls.length).toBe(5_000);
  expect(most).toBeLessThanOrEqual(1_000);
});

test("no IndexedDB is unavailable, and so is one that throws", async () => {
  vi.stubGlobal("indexedDB", undefined);
  await fails(indexedDBStore("test").load(), "unavailable");
  const closed = { open: () => { throw new DOMException("no", "SecurityError"); } } as unknown as IDBFactory;
  await fails(indexedDBStore("test", { indexedDB: closed }).load(), "unavailable");
});

test("a database of newer code is left alone", async () => {
  const indexedDB = new IDBFactory();
  (await open(indexedDB, 2)).close();
  await fails(indexedDBStore("test", { indexedDB }).load(), "version");
});

test("a tab that keeps older code's database open blocks", async () => {
  const indexedDB = new IDBFactory();
  const real = indexedDB.open.bind(indexedDB);
  // As if the layout of this code were newer than that of a tab that does not give way.
  const older = await new Promise<IDBDatabase>((resolve) => {
    const request = real("tidegate:test", 1);
    request.onsuccess = () => resolve(request.result);
  });
  const newer = { open: (name: string) => real(name, 2) } as IDBFactory;
  await fails(indexedDBStore("test", { indexedDB: newer }).load(), "blocked");
  older.close();
});

test("a store gives way to newer code, and then stops", async () => {
  const indexedDB = new IDBFactory();
  const store = indexedDBStore("test", { indexedDB });
  await store.load();
  (await open(indexedDB, 2)).close();
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
  const other = await open(indexedDB, 1);
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
  expect(store.persistent).toBe(true);
  const other = indexedDBStore("other", { indexedDB, persist: false });
  await other.load();
  expect(other.persistent).toBe(false);
  expect(persist).toHaveBeenCalledTimes(1);
});
