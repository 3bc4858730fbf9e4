import { afterEach, expect, test } from "vitest";
import initSqlJs from "sql.js/dist/sql-asm-memory-growth.js";
import type { Database } from "sql.js";
import { sqliteStore } from "../../src/store/sqlite.js";
import type { SQLiteDriver, SQLiteRow } from "../../src/store/sqlite.js";
import { batch, conformance, entry, fails, plain } from "./conformance.js";

// SQLite itself, compiled to plain JavaScript: it runs where there is no WebAssembly.
const sql = await initSqlJs();

/** Databases live in one memory of SQLite's: they are given back after each test. */
const databases: Database[] = [];
function newDatabase(): Database {
  const database = new sql.Database();
  databases.push(database);
  return database;
}
afterEach(() => {
  for (const database of databases.splice(0)) database.close();
});

/** How a driver gives blobs back, and whether it answers at once. */
type Shape = (row: SQLiteRow) => SQLiteRow;

const blobs = (convert: (b: Uint8Array) => unknown): Shape => (row) =>
  Object.fromEntries(Object.entries(row).map(([k, v]) => [k, v instanceof Uint8Array ? convert(v) : v]));

function driver(database: Database, shape: Shape, before?: (sql: string) => void): SQLiteDriver {
  return {
    execute(statement, values) {
      before?.(statement);
      const prepared = database.prepare(statement, values as Uint8Array[]);
      const rows: SQLiteRow[] = [];
      while (prepared.step()) rows.push(shape(prepared.getAsObject()));
      prepared.free();
      return rows;
    },
  };
}

const shapes: Record<string, Shape> = {
  views: (row) => row,
  "array buffers": blobs((b) => b.slice().buffer),
  "arrays of numbers": blobs((b) => [...b]),
};

for (const [name, shape] of Object.entries(shapes)) {
  conformance(`sqliteStore (blobs as ${name})`, () => {
    const database = newDatabase();
    return { open: () => sqliteStore(driver(database, shape)) };
  });
}

conformance("sqliteStore (asynchronous driver)", () => {
  const database = newDatabase();
  const inner = driver(database, shapes["views"]!);
  return { open: () => sqliteStore({ execute: async (s, v) => inner.execute(s, v) }) };
});

test("a batch that fails half-way leaves nothing behind, and the code says why", async () => {
  for (const [message, code] of [
    ["database or disk is full", "quota"],
    ["database disk image is malformed", "corrupt"],
    ["database is locked", "blocked"],
    ["something else", "unavailable"],
  ] as const) {
    const database = newDatabase();
    let fail = false;
    const store = sqliteStore(
      driver(database, shapes["views"]!, (statement) => {
        if (fail && statement.startsWith("INSERT")) throw new Error(message);
      }),
    );
    await store.load();
    await store.write(batch([entry("a", "1"), entry("b", "1")]));
    fail = true;
    await fails(store.write(batch([entry("b", "2")], ["a"])), code);
    fail = false;
    expect(plain(await store.load())).toEqual(plain([entry("a", "1"), entry("b", "1")]));
  }
});

test("a failed commit is rolled back", async () => {
  const database = newDatabase();
  let fail = false;
  const store = sqliteStore(
    driver(database, shapes["views"]!, (statement) => {
      if (fail && statement === "COMMIT") throw new Error("disk I/O error");
    }),
  );
  await store.load();
  fail = true;
  await fails(store.write(batch([entry("a", "1")])), "unavailable");
  fail = false;
  expect(await store.load()).toEqual([]);
});

test("a newer layout stops the store, untouched", async () => {
  const database = newDatabase();
  const store = sqliteStore(driver(database, shapes["views"]!));
  await store.load();
  database.run("UPDATE tidegate_meta SET layout = 2");
  await fails(store.load(), "version");
  expect(database.exec("SELECT layout, owner FROM tidegate_meta")[0]!.values).toEqual([[2, 1]]);
});

test("an emptied database is noticed", async () => {
  const database = newDatabase();
  const store = sqliteStore(driver(database, shapes["views"]!));
  await store.load();
  database.run("DELETE FROM tidegate_meta");
  await fails(store.write(batch([entry("a", "1")])), "gone");
  database.run("DROP TABLE tidegate_meta");
  await fails(store.write(batch([entry("a", "1")])), "gone");
});

test("the driver's connection is closed once", async () => {
  let closed = 0;
  const store = sqliteStore({ ...driver(newDatabase(), shapes["views"]!), close: () => void closed++ });
  await store.load();
  await store.close();
  await store.close();
  expect(closed).toBe(1);
});
