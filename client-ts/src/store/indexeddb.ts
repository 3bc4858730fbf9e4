// Few changes are entries of the database, one by one. Many at once (a snapshot)
// are laid, with all that is there, into packs: of 10,000 records a browser writes
// and reads those in a tenth of the time. An entry stands before what a pack has
// under its key, and null there removes it; when entries have become many, they are
// packed again. All that a change needs to know of the packs is in the database.
import { compareBytes, overlay, pack, unpack } from "./pack.js";
import type { Change } from "./pack.js";
import { StoreError } from "./store.js";
import type { Batch, Entry, Store, StoreErrorCode } from "./store.js";

/** The version of the database's layout: 2 has packs. Code that meets a newer one stops. */
const layoutVersion = 2;

const entriesName = "entries";
const metaName = "meta";
/** By their number, in the order of what they hold. */
const packsName = "packs";
const ownerKey = "owner";
const packedKey = "packed";

/** What the packs hold. */
interface Packed {
  readonly count: number;
  /** The first and the last key of each kind, which is a key's first byte: what comes and goes does not lie between what stays. */
  readonly ranges: readonly (readonly [first: Uint8Array, last: Uint8Array])[];
}

const nothing: Packed = { count: 0, ranges: [] };

/** Whether so many entries, or changes, are to be packed with what the packs have. */
const many = (n: number, { count }: Packed) => n >= Math.max(512, count / 4);

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
  /** Whether the browser promised not to evict the data; known some time after load. */
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
      request.onupgradeneeded = ({ oldVersion }) => {
        if (oldVersion < 1) {
          request.result.createObjectStore(entriesName);
          request.result.createObjectStore(metaName);
        }
        request.result.createObjectStore(packsName);
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

  /** Runs one durable transaction. `work` is told who owns the database, undefined if it is new, and what the packs hold. */
  async function transact(work: (tables: Tables, owner: number | undefined, packed: Packed, fail: (error: unknown) => void) => void): Promise<void> {
    const opened = (database ??= await connect());
    await new Promise<void>((resolve, reject) => {
      const transaction = opened.transaction([entriesName, metaName, packsName], "readwrite", { durability: "strict" });
      let why: unknown;
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject((why ?? transaction.error) as Error);
      const fail = (error: unknown) => {
        why = error;
        transaction.abort();
      };
      const [entries, meta, packs] = [entriesName, metaName, packsName].map((name) => transaction.objectStore(name)) as [IDBObjectStore, IDBObjectStore, IDBObjectStore];
      const getOwner = meta.get(ownerKey) as IDBRequest<number | undefined>;
      const getPacked = meta.get(packedKey) as IDBRequest<Packed | undefined>;
      getPacked.onsuccess = () => work({ entries, meta, packs }, getOwner.result, getPacked.result ?? nothing, fail);
    });
  }

  /** A change by the owner; tried again once on a new connection if the browser dropped ours. */
  async function change(work: (tables: Tables, packed: Packed, fail: (error: unknown) => void) => void): Promise<void> {
    if (!loaded) throw new StoreError("gone", "the store is not open");
    const attempt = () =>
      transact((tables, found, packed, fail) => {
        if (found === undefined) fail(new StoreError("gone", "the database was deleted while it was in use"));
        else if (found !== owner) fail(new StoreError("in-use", "another client has taken the store over"));
        else work(tables, packed, fail);
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
      let found: Found | undefined;
      let packed = nothing;
      let first = false;
      try {
        const reading = transact((tables, before, held) => {
          first = before === undefined;
          owner = (before ?? 0) + 1;
          packed = held;
          tables.meta.put(owner, ownerKey);
          findAll(tables, (all) => (found = all));
        });
        const noted = isNoted(marker); // which may take long, but no longer than the database
        await reading;
        const entries = found!.entries();
        loaded = true;
        store.evicted = first && noted;
        if (first) note(marker);
        // Somebody may have to be asked first, and the data is there.
        if (options.persist !== false) void askToPersist().then((granted) => (store.persistent = granted));
        // Nothing waits for this, and what comes meanwhile is written behind it. If it
        // fails, the next load tries again.
        if (many(found!.changes.length, packed)) change((tables) => packAll(tables, entries)).catch(() => {});
        return entries;
      } catch (error) {
        throw typed(error);
      }
    },

    write(batch: Batch): Promise<void> {
      return change((tables, packed, fail) => {
        const { entries } = tables;
        const { deletes, puts } = batch;
        if (many(puts.length + deletes.length, packed)) {
          findAll(tables, (found) => {
            try {
              const changes: Change[] = [...puts.map((entry) => ({ key: entry.key, entry })), ...deletes.map((key) => ({ key, entry: undefined }))];
              packAll(tables, overlay(found.entries(), changes.sort((a, b) => compareBytes(a.key, b.key))));
            } catch (error) {
              fail(error); // else the browser reports it as nobody's
            }
          });
          return;
        }
        for (const key of deletes) {
          const inPacks = packed.ranges.some(([first, last]) => compareBytes(first, key) <= 0 && compareBytes(key, last) <= 0);
          if (inPacks) entries.put(null, whole(key));
          else entries.delete(whole(key));
        }
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
      return change(({ entries, packs, meta }) => {
        entries.clear();
        packs.clear();
        meta.delete(packedKey);
      });
    },

    async close(): Promise<void> {
      loaded = false;
      database?.close();
      database = undefined;
    },
  };
  return store;
}

/** The database's tables, in one transaction. */
interface Tables {
  readonly entries: IDBObjectStore;
  readonly meta: IDBObjectStore;
  readonly packs: IDBObjectStore;
}

/** What the database holds. */
interface Found {
  /** What is not in packs, or changes what is. */
  readonly changes: readonly Change[];
  /** All entries, in the order of their keys. */
  entries(): Entry[];
}

function findAll({ entries, packs }: Tables, found: (all: Found) => void): void {
  const packed = packs.getAll() as IDBRequest<Uint8Array[]>;
  const keys = entries.getAllKeys() as IDBRequest<ArrayBuffer[]>;
  const values = entries.getAll() as IDBRequest<(Uint8Array | null)[]>;
  values.onsuccess = () => {
    const changes = keys.result.map((buffer, i): Change => {
      const key = new Uint8Array(buffer);
      const value = values.result[i];
      return { key, entry: value ? { key, value } : undefined };
    });
    found({
      changes,
      entries() {
        const unpacked: Entry[] = [];
        for (const data of packed.result) unpack(data, unpacked);
        return overlay(unpacked, changes);
      },
    });
  };
}

/** Makes these entries, in the order of their keys, all that the database holds: in packs, of which each is made in a turn of its own. */
function packAll({ entries, packs, meta }: Tables, all: readonly Entry[]): void {
  entries.clear();
  packs.clear();
  const ranges: (readonly [Uint8Array, Uint8Array])[] = [];
  for (const { key } of all) {
    const range = ranges.at(-1);
    if (range && range[0][0] === key[0]) ranges[ranges.length - 1] = [range[0], key];
    else ranges.push([key, key]);
  }
  const packed: Packed = { count: all.length, ranges: ranges.map(([first, last]) => [whole(first), whole(last)]) };
  meta.put(packed, packedKey);
  let number = 0;
  const some = (from: number) => {
    if (from >= all.length) return;
    const { data, next } = pack(all, from);
    packs.put(data, number++).onsuccess = () => some(next);
  };
  some(0);
}

/** A view into a larger buffer would be stored with all of the buffer. */
function whole(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return (bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice()) as Uint8Array<ArrayBuffer>;
}

// That there is a database is noted where an eviction of the database alone leaves
// it. A worker has no such place, and it may be forbidden.

function isNoted(marker: string): boolean {
  try {
    return localStorage.getItem(marker) !== null;
  } catch {
    return false;
  }
}

function note(marker: string): void {
  try {
    localStorage.setItem(marker, "1");
  } catch {}
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
