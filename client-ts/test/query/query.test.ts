import { describe, expect, test, vi } from "vitest";
import fc from "fast-check";
import { createTable } from "../../src/query/index.js";
import type { QueryOptions, Source } from "../../src/query/index.js";
import { comparator } from "../../src/query/order.js";
import { compileWhere } from "../../src/query/where.js";

interface Card {
  readonly id: string;
  readonly title?: string | null;
  readonly votes?: number;
  readonly done?: boolean;
  readonly labels?: readonly string[];
  readonly place?: { readonly column: string; readonly row?: number };
}

/** Rows that a test changes. */
class Cards implements Source<Card> {
  readonly rows = new Map<string, Card>();
  loading = false;
  reads = 0;
  readonly table = createTable<Card>(this);
  ids = () => this.rows.keys();
  ready = () => !this.loading;
  row(id: string): Card | undefined {
    this.reads++;
    return this.rows.get(id);
  }
  put(...cards: Card[]): void {
    for (const card of cards) this.rows.set(card.id, card);
    this.table.changed(cards.map((card) => card.id));
  }
  remove(...ids: string[]): void {
    for (const id of ids) this.rows.delete(id);
    this.table.changed(ids);
  }
  /** What a query must give, from scratch. */
  expected({ where, orderBy, limit }: QueryOptions<Card>): Card[] {
    const { test } = compileWhere(where);
    return [...this.rows.values()].filter(test).sort(comparator(orderBy)).slice(0, limit);
  }
}

const ids = (rows: readonly Card[]) => rows.map((row) => row.id).join(" ");

describe("where", () => {
  const rows: Card[] = [
    { id: "a", title: "Apple", votes: 3, done: false, labels: ["red"], place: { column: "x", row: 1 } },
    { id: "b", title: "Banana", votes: 5, done: true, labels: [], place: { column: "y" } },
    { id: "c", title: null, votes: -1, labels: ["red", "blue"] },
    { id: "d" },
  ];
  const cards = new Cards();
  cards.put(...rows);
  test.each<[string, QueryOptions<Card>["where"], string]>([
    ["nothing", undefined, "a b c d"],
    ["no condition", {}, "a b c d"],
    ["a condition that is undefined", { title: undefined as unknown as string }, "a b c d"],
    ["equality", { title: "Apple" }, "a"],
    ["equality with null", { title: null }, "c"],
    ["eq", { votes: { eq: 5 } }, "b"],
    ["eq undefined: the field is not there", { votes: { eq: undefined } }, "d"],
    ["ne", { votes: { ne: 5 } }, "a c d"],
    ["ne undefined: the field is there", { votes: { ne: undefined } }, "a b c"],
    ["lt", { votes: { lt: 3 } }, "c"],
    ["lte and gt", { votes: { lte: 3, gt: -1 } }, "a"],
    ["gte, of numbers only", { votes: { gte: -1 } }, "a b c"],
    ["comparison never crosses types", { title: { gte: "" } }, "a b"],
    ["in", { title: { in: ["Apple", "Cherry", null] } }, "a c"],
    ["in nothing", { title: { in: [] } }, ""],
    ["prefix", { title: { prefix: "Ba" } }, "b"],
    ["has", { labels: { has: "red" } }, "a c"],
    ["an array as it is", { labels: ["red", "blue"] }, "c"],
    ["a path", { "place.column": "x" }, "a"],
    ["a path through nothing", { "place.row": { eq: undefined } }, "b c d"],
    ["an object as it is", { place: { eq: { column: "y" } } }, "b"],
    ["several", { done: { ne: true }, labels: { has: "red" } }, "a c"],
    ["a function", (card) => (card.votes ?? 0) > 2, "a b"],
  ])("%s", (_, where, expected) => {
    expect(ids(cards.table.query({ where }).get())).toBe(expected);
    expect(ids(cards.table.query({ where }).get())).toBe(expected); // by the index, where one pays
  });

  test("operators that there are not are refused by name", () => {
    expect(() => cards.table.query({ where: { votes: { gthan: 3 } as never } })).toThrow(/votes has the operator gthan; there are eq, ne/);
    expect(() => cards.table.query({ where: { votes: { constructor: 3 } as never } })).toThrow(/operator constructor/);
    expect(() => cards.table.query({ where: { votes: { in: 3 } as never } })).toThrow(/"in" wants an array/);
    expect(() => cards.table.query({ orderBy: { votes: "down" as never } })).toThrow(/"asc" or "desc", not down/);
    expect(() => cards.table.query({ limit: -1 })).toThrow(/limit/);
    expect(() => cards.table.query({ limit: NaN })).toThrow(/limit/);
  });

  test("lists are asked by the values of their elements", () => {
    const table = createTable<{ id: string; steps: { id: string; value: string }[] }>({
      ids: () => ["a"],
      row: () => ({ id: "a", steps: [{ id: "0", value: "boil" }] }),
    });
    expect(table.query({ where: { steps: { has: "boil" } } }).get()).toHaveLength(1);
    expect(table.query({ where: { steps: { has: "fry" } } }).get()).toHaveLength(0);
  });
});

describe("orderBy and limit", () => {
  const cards = new Cards();
  cards.put({ id: "a", votes: 2, title: "x" }, { id: "b", votes: 1, title: "y" }, { id: "c", votes: 2, title: "w" }, { id: "d" }, { id: "e", title: null });
  test.each<[QueryOptions<Card>, string]>([
    [{}, "a b c d e"],
    [{ orderBy: { votes: "asc" } }, "d e b a c"],
    [{ orderBy: { votes: "desc" } }, "a c b d e"],
    [{ orderBy: { votes: "desc", title: "asc" } }, "c a b d e"],
    [{ orderBy: [{ votes: "desc" }, { title: "desc" }] }, "a c b e d"],
    [{ orderBy: { title: "asc" } }, "d e c a b"],
    [{ orderBy: (a, b) => (b.votes ?? 0) - (a.votes ?? 0) }, "a c b d e"],
    [{ orderBy: { votes: "asc" }, limit: 3 }, "d e b"],
    [{ limit: 0 }, ""],
  ])("%j", (options, expected) => {
    expect(ids(cards.table.query(options).get())).toBe(expected);
  });
});

describe("a query that is followed", () => {
  test("hears of its rows at once, and of changes of them only", () => {
    const cards = new Cards();
    cards.put({ id: "a", votes: 1 }, { id: "b", votes: 2 });
    const heard: string[] = [];
    const query = cards.table.query({ where: { votes: { gt: 1 } } });
    const stop = query.subscribe((rows) => heard.push(ids(rows)));
    cards.put({ id: "a", votes: 0 });
    cards.put({ id: "b", votes: 2 }); // the same again
    cards.put({ id: "c", votes: 9 });
    cards.put({ id: "a", votes: 7 }, { id: "b", votes: 8 });
    cards.remove("c", "never");
    stop();
    stop();
    cards.put({ id: "z", votes: 9 });
    expect(heard).toEqual(["b", "b c", "a b c", "a b"]);
    expect(ids(query.get())).toBe("a b z");
  });

  test("keeps the array and the rows that did not change", () => {
    const cards = new Cards();
    const a = { id: "a", labels: ["x"], place: { column: "1" } };
    cards.put(a, { id: "b", votes: 1 });
    const query = cards.table.query();
    const before = query.get();
    expect(before[0]).toBe(a);
    cards.put({ id: "a", labels: ["x"], place: { column: "1" } }); // another object, the same content
    expect(query.get()).toBe(before);
    cards.put({ id: "b", votes: 2 });
    const after = query.get();
    expect(after).not.toBe(before);
    expect(after[0]).toBe(a);
    expect(cards.table.get("a")).toBe(a);
    expect(before[1]).toEqual({ id: "b", votes: 1 }); // what was handed out is not changed
    cards.table.changed();
    expect(query.get()).toBe(after);
  });

  test("does not hear of what lies beyond its limit", () => {
    const cards = new Cards();
    cards.put({ id: "a", votes: 1 }, { id: "b", votes: 2 }, { id: "c", votes: 3 });
    const heard = vi.fn();
    const query = cards.table.query({ orderBy: { votes: "asc" }, limit: 2 });
    query.subscribe(heard);
    cards.put({ id: "c", votes: 5 }, { id: "d", votes: 4 });
    expect(heard).toHaveBeenCalledTimes(1);
    cards.remove("a");
    expect(ids(query.get())).toBe("b d"); // what lay beyond moves up
    expect(heard).toHaveBeenCalledTimes(2);
  });

  test("all queries are up to date before the first listener is called; one that throws keeps nobody waiting", async () => {
    const cards = new Cards();
    cards.put({ id: "a" });
    const uncaught: unknown[] = [];
    const collect = (error: unknown) => void uncaught.push(error);
    process.on("unhandledRejection", collect);
    const first = cards.table.query();
    const second = cards.table.query();
    const seen: string[] = [];
    first.subscribe((rows) => {
      seen.push(`${rows.length} ${second.get().length}`);
      if (rows.length === 2) throw new Error("mine");
    });
    second.subscribe((rows) => seen.push(`second ${rows.length}`));
    cards.put({ id: "b" });
    expect(seen).toEqual(["1 1", "second 1", "2 2", "second 2"]);
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", collect);
    expect(uncaught).toEqual([new Error("mine")]);
  });

  test("a listener can stop others, and change things", () => {
    const cards = new Cards();
    const query = cards.table.query();
    const heard: string[] = [];
    query.subscribe((rows) => {
      heard.push(`first ${rows.length}`);
      if (rows.length === 1) {
        stop();
        cards.put({ id: "b" });
      }
    });
    const stop = query.subscribe((rows) => heard.push(`second ${rows.length}`));
    cards.put({ id: "a" });
    expect(heard).toEqual(["first 0", "second 0", "first 1", "first 2"]);
  });

  test("reading brings up to date, and tells followers only afterwards", async () => {
    const cards = new Cards();
    const query = cards.table.query();
    expect(query.get()).toEqual([]);
    cards.put({ id: "a" });
    expect(ids(query.get())).toBe("a");
    const heard: number[] = [];
    cards.table.watch("a", () => heard.push(1));
    cards.put({ id: "a", votes: 1 });
    expect(heard).toEqual([1]);
  });

  test("nobody is told of rows that are still being loaded", () => {
    const cards = new Cards();
    cards.loading = true;
    const heard: string[] = [];
    cards.table.query().subscribe((rows) => heard.push(ids(rows)));
    expect(heard).toEqual([]);
    cards.rows.set("a", { id: "a" });
    cards.loading = false;
    cards.table.changed();
    expect(heard).toEqual(["a"]);
  });

  test("an empty collection is told once it is loaded", () => {
    const cards = new Cards();
    cards.loading = true;
    const heard: string[] = [];
    cards.table.query().subscribe((rows) => heard.push(ids(rows)));
    cards.loading = false;
    cards.table.changed();
    expect(heard).toEqual([""]);
  });

  test("a where that throws does so for who reads, not for who writes", () => {
    const cards = new Cards();
    let angry = false;
    const query = cards.table.query({
      where: () => {
        if (angry) throw new Error("mine");
        return true;
      },
    });
    query.subscribe(() => {});
    angry = true;
    process.once("unhandledRejection", () => {});
    cards.put({ id: "a" });
    expect(() => query.get()).toThrow("mine");
    angry = false;
    expect(ids(query.get())).toBe("a");
  });
});

test("one record can be watched without reading the others", () => {
  const cards = new Cards();
  cards.put(...Array.from({ length: 100 }, (_, i) => ({ id: `c${i}` })));
  cards.reads = 0;
  let heard = 0;
  const stop = cards.table.watch("c5", () => heard++);
  cards.put({ id: "c6", votes: 1 });
  expect(heard).toBe(0);
  cards.put({ id: "c5", votes: 1 });
  cards.remove("c5");
  cards.put({ id: "c5" });
  expect(heard).toBe(3);
  stop();
  cards.remove("c5");
  expect(heard).toBe(3);
  expect(cards.table.get("c5")).toBeUndefined();
  expect(cards.reads).toBeLessThan(10);
});

test("any changes: what is kept up to date is what would be made from scratch", () => {
  const id = fc.integer({ min: 0, max: 15 }).map((n) => `c${n}`);
  const card: fc.Arbitrary<Card> = fc.record(
    {
      id,
      title: fc.option(fc.constantFrom("Ada", "Ben", "Bea", "")),
      votes: fc.integer({ min: 0, max: 4 }),
      done: fc.boolean(),
      labels: fc.subarray(["red", "blue"]),
      place: fc.record({ column: fc.constantFrom("x", "y"), row: fc.nat(2) }, { requiredKeys: ["column"] }),
    },
    { requiredKeys: ["id"] },
  );
  const where = fc.oneof(
    fc.constant(undefined),
    fc.constantFrom<QueryOptions<Card>["where"]>(
      { votes: 2 }, { votes: { in: [0, 3] } }, { votes: { gt: 1, lte: 3 } }, { title: { prefix: "B" } }, { title: null }, { title: { eq: undefined } },
      { labels: { has: "red" } }, { labels: ["red"] }, { "place.column": "x" }, { "place.column": "x", done: true }, { done: { ne: true } },
      (row: Card) => (row.votes ?? 0) % 2 === 0, { place: { eq: { column: "y" } } },
    ),
  );
  const orderBy = fc.constantFrom<QueryOptions<Card>["orderBy"]>(
    undefined, { votes: "asc" }, { votes: "desc" }, { title: "asc", votes: "desc" }, [{ done: "desc" }, { "place.row": "asc" }], { labels: "asc" },
    (a: Card, b: Card) => (a.votes ?? 0) - (b.votes ?? 0),
  );
  const options = fc.record({ where, orderBy, limit: fc.constantFrom(undefined, 0, 1, 3, 10) });
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ puts: fc.array(card, { maxLength: 3 }), removes: fc.array(id, { maxLength: 2 }) }) },
    { weight: 1, arbitrary: fc.record({ puts: fc.array(card, { minLength: 10, maxLength: 30 }), removes: fc.array(id, { maxLength: 8 }) }) },
  );
  fc.assert(
    fc.property(fc.array(card, { maxLength: 20 }), fc.array(fc.tuple(options, fc.boolean()), { minLength: 1, maxLength: 5 }), fc.array(step, { maxLength: 12 }), (initial, asked, steps) => {
      const cards = new Cards();
      cards.put(...initial);
      const queries = asked.map(([o, followed]) => {
        const query = cards.table.query(o);
        let last: readonly Card[] | undefined;
        if (followed) {
          query.subscribe((rows) => {
            expect(rows).not.toBe(last);
            if (last) expect(rows).not.toEqual(last); // told only of differences
            last = rows;
          });
        }
        return { o, query, followed, last: () => last };
      });
      for (const { puts, removes } of steps) {
        const before = queries.map(({ query }) => query.get());
        for (const each of removes) cards.rows.delete(each);
        for (const each of puts) cards.rows.set(each.id, each);
        cards.table.changed([...removes, ...puts.map((each) => each.id)]);
        queries.forEach(({ o, query, followed, last }, i) => {
          const now = query.get();
          expect(now).toEqual(cards.expected(o));
          if (followed) expect(last()).toBe(now);
          const old = before[i]!;
          if (now.length === old.length && now.every((row, n) => row === old[n])) expect(now).toBe(old);
          for (const row of now) {
            const was = old.find((each) => each.id === row.id);
            if (was && JSON.stringify(was) === JSON.stringify(row)) expect(row).toBe(was);
          }
        });
      }
    }),
    { numRuns: 500 },
  );
});
