// Types as `tidegate schema types` writes them: a wrong name or value is a compile
// error. `npm run types` compiles this file; each expected error must be one.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createClient } from "../../src/index.js";
import type { Row, SetOf } from "../../src/index.js";
import { schema as calendar } from "./generated/calendar.js";
import { schema as everything } from "./generated/everything.js";
import { schema as shapes } from "./generated/shapes.js";
import type { Shapes } from "./generated/shapes.js";

/** Is compiled and never run. */
export function compiles(): void {
  const client = createClient({ url: "ws://localhost/sync", schema: shapes });
  const space = client.space("s");
  const rows = space.collection("shapes");
  // @ts-expect-error there is no such collection
  space.collection("shape");

  rows.create({ name: "n", either: null });
  rows.create({ name: "n", either: "x", labels: ["red"], steps: [{ text: "boil" }], votes: 3, place: { room: "r" }, tree: { children: [{ value: "x" }] } });
  // @ts-expect-error a required field is missing
  rows.create({ name: "n" });
  // @ts-expect-error the value has the wrong type
  rows.create({ name: 1, either: null });
  // @ts-expect-error there is no such field
  rows.create({ name: "n", either: null, nam: "x" });
  // @ts-expect-error an element of a set has the wrong type
  rows.create({ name: "n", either: null, labels: ["green"] });
  // @ts-expect-error a field of an object is missing
  rows.create({ name: "n", either: null, place: {} });
  // @ts-expect-error not one of the values
  rows.create({ name: "n", either: null, kind: "c" });

  const row = rows.get("r1");
  if (row) {
    const name: string = row.name;
    const either: string | null = row.either;
    const labels: readonly ("red" | "blue")[] | undefined = row.labels;
    const first: string | undefined = row.steps?.[0]?.value.text;
    const votes: number | undefined = row.votes;
    const a: number | undefined = row.opaque?.a;
    const lat: number | undefined = row.place?.geo?.lat;
    const pair: readonly [string, number?] | undefined = row.pair;
    const bytes: Uint8Array | undefined = row.picture;
    void [name, either, labels, first, votes, a, lat, pair, bytes, row._pending, row.id];
    // @ts-expect-error there is no such field
    void row.titel;
    // @ts-expect-error rows are not changed
    row.name = "x";
    // @ts-expect-error it may be absent
    const always: number = row.whole;
    void always;
  }

  rows.update("r1", (draft) => {
    draft.name = "x";
    draft.either = null;
    draft.opaque = { a: 1 };
    draft.numbers = [1, 2];
    draft.votes.add(2);
    draft.best.to(3);
    draft.labels.add("red");
    draft.steps.push({ text: "fry" });
    draft.place.room = "r";
    draft.place.geo.seen.add("x");
    delete draft.whole;
    // @ts-expect-error a required field cannot be removed
    delete draft.name;
    // @ts-expect-error the value has the wrong type
    draft.name = 3;
    // @ts-expect-error there is no such field
    draft.nam = "x";
    // @ts-expect-error a counter is added to
    draft.votes = 3;
    // @ts-expect-error a counter takes numbers
    draft.votes.add("1");
    // @ts-expect-error no element of this set
    draft.labels.add("green");
    // @ts-expect-error an element of this list has a text
    draft.steps.push({});
    // @ts-expect-error one value: assigned, not edited within
    draft.opaque.a = 2;
    // @ts-expect-error the field of an object has the wrong type
    draft.place.room = 1;
  });

  rows.query({ where: { name: "n", votes: { gt: 3 }, "place.room": { prefix: "r" }, labels: { has: "red" }, steps: { has: { text: "x" } } }, orderBy: { name: "asc", "place.geo.lat": "desc" } });
  // @ts-expect-error there is no such field
  rows.query({ where: { nam: "n" } });
  // @ts-expect-error the value has the wrong type
  rows.query({ where: { name: 3 } });
  // @ts-expect-error the value of the operator has the wrong type
  rows.query({ where: { votes: { gt: "3" } } });
  // @ts-expect-error no element of this set
  rows.query({ where: { labels: { has: "green" } } });
  // @ts-expect-error there is no such path
  rows.query({ where: { "place.roof": "r" } });
  // @ts-expect-error there is no such field
  rows.query({ orderBy: { nam: "asc" } });
  rows.query({ where: (each) => each.name === "n", orderBy: (x, y) => x.name.length - y.name.length });
  rows.query().subscribe((list) => {
    const names: string[] = list.map((each) => each.name);
    void names;
    // @ts-expect-error there is no such field
    void list.map((each) => each.nam);
  });

  space.mutate((tx) => {
    tx.create("shapes", { name: "n", either: null });
    tx.update("shapes", "r1", (draft) => draft.labels.remove("blue"));
    // @ts-expect-error there is no such collection
    tx.delete("things", "r1");
    // @ts-expect-error the value has the wrong type
    tx.create("shapes", { name: "n", either: 3 });
  });

  // Without a schema anything goes.
  const loose = createClient({ url: "ws://localhost/sync" }).space("s").collection("whatever");
  loose.create({ a: 1 });
  loose.update("x", (draft) => {
    draft.anything = [1];
    draft.tags.add(2);
  });
  loose.query({ where: { a: 1, "b.c": { gt: 2 } }, orderBy: { a: "desc" } });

  const shown: Row<Pick<Shapes, "labels">>["labels"] = ["red"];
  // @ts-expect-error a set's marker is no value
  const marker: SetOf<string> = ["red"];
  void [shown, marker];
}

test("generated schemas work on the device", () => {
  expect(calendar.version).toBe(3);
  expect(calendar.policy("events", "participants")).toBe("set");
  expect(calendar.group("events", "start")).toEqual(["end", "start"]);
  expect(everything.isObject("things", "where")).toBe(true);
  expect(shapes.policy("shapes", "place.geo.seen")).toBe("set");
  expect(shapes.policy("shapes", "nothing")).toBe("lww");
  expect(shapes.policy("other", "x")).toBeUndefined();
});

test("the schema that is generated is the gateway's, less what only the gateway evaluates", () => {
  const source = JSON.parse(readFileSync(new URL("../../../merge/typescript/testdata/shapes/shapes.json", import.meta.url), "utf8"));
  const strip = (node: any): any => {
    if (Array.isArray(node)) return node.map(strip);
    if (typeof node !== "object" || !node) return node;
    const { title, description, ["x-check"]: _, ["x-merge-delete"]: __, ["x-merge-ask"]: ___, ...rest } = node;
    void [title, description];
    return Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, strip(value)]));
  };
  expect(shapes.set.collections["shapes"]).toEqual(strip(source));
});
