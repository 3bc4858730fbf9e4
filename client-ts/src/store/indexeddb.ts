import { StoreError } from "./store.js";
import type { Batch, Entry, Store, StoreErrorCode } from "./store.js";

/** The version of the database's layout. Code that meets a newer one stops. */
const layoutVersion = 1;

const entriesName = "entries";
const metaName = "meta";
const ownerKey = "owner";

/** How many requests are issued before the page gets a chance to do something else. */
const slice = 500;

/** Settings of {@link indexedDBStore}; all may be left out. */
export interface IndexedDBOptions {
  /** Instead of the global one. */
  readonly indexedDB?: IDBFactory;
  /**
   * Whether to ask the browser not to evict the origin's data (default true).
   * Firefox asks the user; the others decide by themselves.
   */
  readonly persist?: boolean;
}

/** A store in IndexedDB. */
export interface IndexedDBStore extends Store {
  readonly name: string;
  /** Set by load: whether the browser promised not to evict the data. */
  readonly persistent?: boolean;
}

/**
 * Returns a store in the IndexedDB database `tidegate:NAME` of this origin. Use
 * one name for each user of the app, so that people who share a device do not
 * share a queue.
 */
export function indexedDBStore(name: string, options: IndexedDBOptions = {}): IndexedDBStore {
  const databaseName = `tidegate:${name}`;
  let database: IDBDatabase | undefined;
  /** Each load takes a greater number; a writer whose number is not in the database any more is fenced off. */
  let owner = 0;
  let loaded = false;

  function factory(): IDBFactory {
    const found = options.indexedDB ?? (globalThis as { indexedDB?: IDBFactory }).indexedDB;
    if (!found) throw new StoreError("unavailable", "there is no IndexedDB here");
    return found;
  }

  function connect(): Promise<IDBDatabase> {
    return new Promise((resolve, reject) => {
      const request = factory().open(databaseName, layoutVersion);
      let late = false;
      request.onupgradeneeded = () => {
        request.result.createObjectStore(entriesName);
        request.result.createObjectStore(metaName);
      };
      request.onblocked = () => {
        late = true;
        reject(new StoreError("blocked", "another tab keeps an older version of the database open"));
      };
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        const opened = request.result;
        // Whoever wants to change or delete the database must not wait for us; the
        // next write opens it again and sees what has become of it.
        const drop = () => {
          opened.close();
          if (database === opened) database = undefined;
        };
        opened.onversionchange = drop;
        opened.onclose = drop;
        if (late) opened.close();
        resolve(opened);
      };
    });
  }

  /** Runs one durable transaction. `work` issues its first requests at once. */
  async function transact(work: (entries: IDBObjectStore, meta: IDBObjectStore, fail: (error: StoreError) => void) => void): Promise<void> {
    const opened = (database ??= await connect());
    await new Promise<void>((resolve, reject) => {
      const transaction = opened.transaction([entriesName, metaName], "readwrite", { durability: "strict" });
      let why: unknown;
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject((why ?? transaction.error) as Error);
      work(transaction.objectStore(entriesName), transaction.objectStore(metaName), (error) => {
        why = error;
        transaction.abort();
      });
    });
  }

  /** A change by the owner; tried again once on a new connection if the browser dropped ours. */
  async function change(work: (entries: IDBObjectStore) => void): Promise<void> {
    if (!loaded) throw new StoreError("gone", "the store is not open");
    const attempt = () =>
      transact((entries, meta, fail) => {
        const get = meta.get(ownerKey) as IDBRequest<number | undefined>;
        get.onsuccess = () => {
          if (get.result === undefined) fail(new StoreError("gone", "the database was deleted while it was in use"));
          else if (get.result !== owner) fail(new StoreError("in-use", "another client has taken the store over"));
          else work(entries);
        };
      });
    try {
      await attempt().catch((error: unknown) => {
        if (!isLostConnection(error)) throw error;
        database?.close();
        database = undefined;
        return attempt();
      });
    } catch (error) {
      throw typed(error);
    }
  }

  const store = {
    name,
    evicted: false,
    persistent: false,

    async load(): Promise<Entry[]> {
      const marker = `${databaseName}:used`;
      let keys: IDBRequest<IDBValidKey[]>, values: IDBRequest<Uint8Array[]>;
      let first = false;
      try {
        await transact((entries, meta) => {
          const get = meta.get(ownerKey) as IDBRequest<number | undefined>;
          get.onsuccess = () => {
            first = get.result === undefined;
            owner = (get.result ?? 0) + 1;
            meta.put(owner, ownerKey);
            keys = entries.getAllKeys();
            values = entries.getAll() as IDBRequest<Uint8Array[]>;
          };
        });
      } catch (error) {
        throw typed(error);
      }
      loaded = true;
      store.evicted = first && remember(marker);
      if (options.persist !== false) store.persistent = await askToPersist();
      return keys!.result.map((key, index) => ({
        key: new Uint8Array(key as ArrayBuffer),
        value: values!.result[index] as Uint8Array,
      }));
    },

    write(batch: Batch): Promise<void> {
      return change((entries) => {
        for (const key of batch.deletes) entries.delete(whole(key));
        const puts = batch.puts;
        let next = 0;
        const some = () => {
          const end = Math.min(next + slice, puts.length);
          let request: IDBRequest | undefined;
          for (; next < end; next++) {
            const { key, value } = puts[next] as Entry;
            request = entries.put(whole(value), whole(key));
          }
          if (request && next < puts.length) request.onsuccess = some;
        };
        some();
      });
    },

    clear(): Promise<void> {
      return change((entries) => void entries.clear());
    },

    async close(): Promise<void> {
      loaded = false;
      database?.close();
      database = undefined;
    },
  };
  return store;
}

/** A view into a larger buffer would be stored with all of the buffer. */
function whole(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return (bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice()) as Uint8Array<ArrayBuffer>;
}

/** Notes that there is a database, where an eviction of the database alone leaves it; returns whether it was noted before. */
function remember(marker: string): boolean {
  try {
    const before = localStorage.getItem(marker) !== null;
    localStorage.setItem(marker, "1");
    return before;
  } catch {
    return false; // a worker, or storage that is forbidden
  }
}

async function askToPersist(): Promise<boolean> {
  try {
    const storage = navigator.storage;
    return (await storage.persisted()) || (await storage.persist());
  } catch {
    return false; // an old browser, or an insecure page
  }
}

/** Whether the connection, not the request, is what failed: tabs that were suspended for long find it so. */
function isLostConnection(error: unknown): boolean {
  return !error || /^(InvalidState|Unknown|Abort)Error$/.test((error as Error).name);
}

function typed(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const { name = "", message = "the transaction was aborted" } = (error ?? {}) as Partial<Error>;
  const code: StoreErrorCode =
    name === "QuotaExceededError" ? "quota"
    : name === "VersionError" ? "version"
    : /^(NotFound|Unknown|NotReadable|Data)Error$/.test(name) ? "corrupt"
    : "unavailable";
  return new StoreError(code, `IndexedDB: ${message}`, error);
}
