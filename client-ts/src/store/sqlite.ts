import { StoreError } from "./store.js";
import type { Batch, Entry, Store, StoreErrorCode } from "./store.js";

/**
 * What the store needs of an SQLite library: one connection that nothing else
 * uses, because the store opens transactions on it.
 *
 * ```ts
 * // expo-sqlite
 * const db = await SQLite.openDatabaseAsync("tidegate.db");
 * const driver = { execute: (sql, values) => db.getAllAsync(sql, values), close: () => db.closeAsync() };
 * // op-sqlite
 * const db = open({ name: "tidegate.db" });
 * const driver = { execute: async (sql, values) => (await db.execute(sql, values)).rows, close: () => db.close() };
 * ```
 */
export interface SQLiteDriver {
  /**
   * Runs one statement and returns its rows, by the names of their columns. Values
   * take the places of the question marks, in order.
   */
  execute(sql: string, values: (Uint8Array | number)[]): SQLiteRow[] | Promise<SQLiteRow[]>;
  /** Closes the connection; called by the store's close. */
  close?(): void | Promise<void>;
}

/** A row of a result. Drivers give blobs in different shapes; any of these will do. */
export type SQLiteRow = Readonly<Record<string, unknown>>;

/** The version of the tables' layout. Code that meets a newer one stops. */
const layoutVersion = 1;

/** Rows in one INSERT: older libraries take 999 values in a statement. */
const rowsAtOnce = 400;

/**
 * Returns a store in an SQLite database, for React Native and for Node. The store
 * makes two tables, `tidegate_entries` and `tidegate_meta`, and switches the
 * connection to write-ahead logging with full syncs.
 */
export function sqliteStore(driver: SQLiteDriver): Store {
  /** Each load takes a greater number; a writer whose number is not in the database any more is fenced off. */
  let owner = 0;
  let state: "new" | "open" | "closed" = "new";

  const run = async (sql: string, values: (Uint8Array | number)[] = []) => driver.execute(sql, values);

  async function transact<T>(work: () => Promise<T>): Promise<T> {
    try {
      await run("BEGIN IMMEDIATE");
      try {
        const result = await work();
        await run("COMMIT");
        return result;
      } catch (error) {
        // SQLite has rolled back by itself after some errors: then this one fails, and the first is what counts.
        await run("ROLLBACK").catch(() => {});
        throw error;
      }
    } catch (error) {
      throw typed(error);
    }
  }

  function change(work: () => Promise<void>): Promise<void> {
    if (state !== "open") return Promise.reject(new StoreError("gone", "the store is not open"));
    return transact(async () => {
      const [meta] = await run("SELECT owner FROM tidegate_meta");
      if (!meta) throw new StoreError("gone", "the database was emptied while it was in use");
      if (meta["owner"] !== owner) throw new StoreError("in-use", "another client has taken the store over");
      await work();
    });
  }

  return {
    async load(): Promise<Entry[]> {
      try {
        await run("PRAGMA journal_mode = WAL");
        await run("PRAGMA synchronous = FULL");
      } catch (error) {
        throw typed(error);
      }
      const entries = await transact(async () => {
        await run("CREATE TABLE IF NOT EXISTS tidegate_meta (layout INTEGER NOT NULL, owner INTEGER NOT NULL)");
        const [meta] = await run("SELECT layout, owner FROM tidegate_meta");
        const layout = Number(meta?.["layout"] ?? layoutVersion);
        if (layout > layoutVersion) {
          throw new StoreError("version", `the store has layout ${layout}, this code knows ${layoutVersion}`);
        }
        await run("CREATE TABLE IF NOT EXISTS tidegate_entries (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID");
        owner = Number(meta?.["owner"] ?? 0) + 1;
        await run(
          meta ? "UPDATE tidegate_meta SET layout = ?, owner = ?" : "INSERT INTO tidegate_meta (layout, owner) VALUES (?, ?)",
          [layoutVersion, owner],
        );
        return run("SELECT key, value FROM tidegate_entries ORDER BY key");
      });
      state = "open";
      return entries.map((row) => ({ key: bytes(row["key"]), value: bytes(row["value"]) }));
    },

    write(batch: Batch): Promise<void> {
      return change(async () => {
        for (let i = 0; i < batch.deletes.length; i += rowsAtOnce) {
          const some = batch.deletes.slice(i, i + rowsAtOnce);
          await run(`DELETE FROM tidegate_entries WHERE key IN (${marks(some.length, "?")})`, some);
        }
        for (let i = 0; i < batch.puts.length; i += rowsAtOnce) {
          const some = batch.puts.slice(i, i + rowsAtOnce);
          await run(
            `INSERT OR REPLACE INTO tidegate_entries (key, value) VALUES ${marks(some.length, "(?,?)")}`,
            some.flatMap((entry) => [entry.key, entry.value]),
          );
        }
      });
    },

    clear(): Promise<void> {
      return change(async () => void (await run("DELETE FROM tidegate_entries")));
    },

    async close(): Promise<void> {
      if (state === "closed") return;
      state = "closed";
      await driver.close?.();
    },
  };
}

function marks(n: number, mark: string): string {
  return Array<string>(n).fill(mark).join(",");
}

/** Drivers give blobs as views, buffers or arrays of numbers, and an empty one perhaps as null. */
function bytes(blob: unknown): Uint8Array {
  if (blob === null) return new Uint8Array();
  if (ArrayBuffer.isView(blob)) return new Uint8Array(blob.buffer, blob.byteOffset, blob.byteLength).slice();
  if (blob instanceof ArrayBuffer || Array.isArray(blob)) return new Uint8Array(blob);
  throw new StoreError("corrupt", `a blob came back as ${typeof blob}`);
}

/** SQLite's libraries agree on little but the words of its messages. */
const codes: readonly (readonly [RegExp, StoreErrorCode])[] = [
  [/disk is full|SQLITE_FULL|disk full/i, "quota"],
  [/malformed|not a database|corrupt/i, "corrupt"],
  [/locked|busy/i, "blocked"],
  [/no such table/i, "gone"],
];

function typed(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = codes.find(([words]) => words.test(message))?.[1] ?? "unavailable";
  return new StoreError(code, `SQLite: ${message}`, error);
}
