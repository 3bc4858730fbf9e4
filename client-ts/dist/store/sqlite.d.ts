import type { Store } from "./store.js";
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
/**
 * Returns a store in an SQLite database, for React Native and for Node. The store
 * makes two tables, `tidegate_entries` and `tidegate_meta`, and switches the
 * connection to write-ahead logging with full syncs.
 */
export declare function sqliteStore(driver: SQLiteDriver): Store;
