import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import fc from "fast-check";
import { alive, predict } from "../../src/merge/index.js";
import type { Kinds, Rec } from "../../src/merge/index.js";
import type { Mutation, Op, Value } from "../../src/protocol/index.js";
import type { Made, Space, Undo } from "../../src/space.js";
import { undo, undoState, undoWith } from "../../src/undo/index.js";
import { keyText } from "../../src/watch.js";
import type { Key } from "../../src/watch.js";
import { World, warm } from "../tabs/world.js";

/** As much of a space as undo needs, with others who edit it, too. */
class Board {
  readonly records = new Map<string, Rec | undefined>();
  readonly made = new Set<(made: Made) => void>();
  readonly kinds: Kinds = (_, field) => ({ labels: "set", steps: "list" } as const)[field];
  readonly data = { view: { look: (key: Key) => this.records.get(keyText(key)), kinds: this.kinds } };
  time = 0;
  ids = 0;
  fails: Error | undefined;
  readonly undoes: Undo;

  constructor(options: { capture?: number; limit?: number } = { capture: 0 }) {
    this.undoes = undoWith(options)(this as unknown as Space);
  }
  newID = () => `new-${++this.ids}`;
  onMutate(listener: (made: Made) => void): void {
    this.made.add(listener);
  }
  others(...ops: Op[]): void {
    for (const op of ops) this.records.set(keyText(op), predict(this.records.get(keyText(op)), op, this.kinds));
  }
  mutateOps(ops: readonly Op[], mark?: unknown) {
    const before = new Map(ops.map((op) => [keyText(op), this.records.get(keyText(op))]));
    this.others(...ops);
    const durable = this.fails ? Promise.reject(this.fails) : new Promise<never>(() => {});
    durable.catch(() => {});
    const write = { local: Promise.resolve(), durable };
    for (const listener of this.made) listener({ mutation: { ops, editTime: this.time } as unknown as Mutation, before, mark, write });
    return write;
  }
  mine = (...ops: Op[]) => this.mutateOps(ops);
  undo = () => this.undoes.undo() !== undefined;
  redo = () => this.undoes.redo() !== undefined;
  /** What everybody sees, without the ids of elements. */
  content(): unknown {
    return [...this.records.entries()]
      .filter(([, record]) => alive(record))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, record]) => [key, record!.fields.map((f) => [f.field, f.kind === "plain" ? f.value : f.elements.map((e) => e.value)])]);
  }
}

const key = { collection: "cards", id: "c1" };
const create = (fields: Record<string, Value> = {}): Op => ({ kind: "create", ...key, fields: Object.entries(fields).map(([field, value]) => ({ field, value })) });
const set = (fields: Record<string, Value | undefined>): Op => ({ kind: "set", ...key, fields: Object.entries(fields).map(([field, value]) => ({ field, value })) });
const unset = (field: string): Op => ({ kind: "unset", ...key, field });
const add = (value: number): Op => ({ kind: "add", ...key, field: "votes", value });
const label = (kind: "set-add" | "set-remove", value: Value): Op => ({ kind, ...key, field: "labels", value });
const insert = (element: string, position: string, value: Value): Op => ({ kind: "list-insert", ...key, field: "steps", element, position, value });
const value = (board: Board, field: string): unknown => board.records.get("cards.c1")?.fields.find((f) => f.field === field)?.value;
const elements = (board: Board, field = "steps"): unknown => board.records.get("cards.c1")?.fields.find((f) => f.field === field)?.elements.map((e) => e.value) ?? [];

describe("what is taken back", () => {
  test("a value, to what it was; redo makes it anew", () => {
    const board = new Board();
    board.others(create({ title: "a" }));
    board.mine(set({ title: "b" }));
    board.mine(set({ title: "c" }));
    expect(board.undo()).toBe(true);
    expect(value(board, "title")).toBe("b");
    board.undo();
    expect(value(board, "title")).toBe("a");
    expect(board.undo()).toBe(false);
    board.redo();
    board.redo();
    expect(value(board, "title")).toBe("c");
    expect(board.redo()).toBe(false);
    board.undo();
    board.mine(set({ title: "d" })); // a new edit: there is nothing to redo any more
    expect(board.redo()).toBe(false);
  });

  test("a field that was not there goes, one that was removed comes back", () => {
    const board = new Board();
    board.others(create({ title: "a" }));
    board.mine(set({ note: "n" }));
    board.mine(unset("title"));
    board.undo();
    expect(value(board, "title")).toBe("a");
    board.undo();
    expect(value(board, "note")).toBeUndefined();
  });

  test("not what others have overwritten; then the edit before", () => {
    const board = new Board();
    board.others(create({ title: "a", note: "x" }));
    board.mine(set({ note: "y" }));
    board.mine(set({ title: "b" }));
    board.others(set({ title: "theirs" }));
    expect(board.undo()).toBe(true);
    expect(value(board, "title")).toBe("theirs");
    expect(value(board, "note")).toBe("x");
    expect(board.undo()).toBe(false);
  });

  test("a group as one: not if others changed a member", () => {
    const board = new Board();
    board.others(create({ start: 1, end: 2 }));
    board.mine(set({ start: 3, end: 4 }));
    board.undo();
    expect([value(board, "start"), value(board, "end")]).toEqual([1, 2]);
    board.redo();
    board.others(set({ start: 3, end: 9 }));
    expect(board.undo()).toBe(false);
    expect([value(board, "start"), value(board, "end")]).toEqual([3, 9]);
  });

  test("a counter by its amount", () => {
    const board = new Board();
    board.others(create({ votes: 10 }));
    board.mine(add(3));
    board.others(add(5));
    board.undo();
    expect(value(board, "votes")).toBe(15);
    board.redo();
    expect(value(board, "votes")).toBe(18);
  });

  test("an element of a set, if it was mine to add or remove", () => {
    const board = new Board();
    board.others(create({ labels: ["red"] }));
    board.mine(label("set-add", "red")); // it was there
    board.mine(label("set-add", "blue"));
    board.mine(label("set-remove", "red"));
    board.undo();
    expect(elements(board, "labels")).toEqual(["red", "blue"]);
    board.undo();
    expect(elements(board, "labels")).toEqual(["red"]);
    expect(board.undo()).toBe(false);
  });

  test("an element of a list: what was inserted, moved, changed, removed", () => {
    const board = new Board();
    board.others(create(), insert("e1", "b", "boil"), insert("e2", "d", "eat"));
    board.mine(insert("e3", "c", "cool"));
    board.mine({ kind: "list-move", ...key, field: "steps", element: "e3", position: "e" });
    board.mine({ kind: "list-set", ...key, field: "steps", element: "e3", value: "nap" });
    board.mine({ kind: "list-remove", ...key, field: "steps", element: "e1" });
    expect(elements(board)).toEqual(["eat", "nap"]);
    board.undo();
    expect(elements(board)).toEqual(["boil", "eat", "nap"]);
    board.undo();
    expect(elements(board)).toEqual(["boil", "eat", "cool"]);
    board.undo();
    expect(elements(board)).toEqual(["boil", "cool", "eat"]);
    board.undo();
    expect(elements(board)).toEqual(["boil", "eat"]);
    for (let i = 0; i < 4; i++) expect(board.redo()).toBe(true);
    expect(elements(board)).toEqual(["eat", "nap"]); // under new names, which later edits follow
    for (let i = 0; i < 4; i++) expect(board.undo()).toBe(true);
    expect(elements(board)).toEqual(["boil", "eat"]);
  });

  test("not a list element that others have changed", () => {
    const board = new Board();
    board.others(create());
    board.mine(insert("e1", "b", "boil"));
    board.others({ kind: "list-set", ...key, field: "steps", element: "e1", value: "fry" });
    expect(board.undo()).toBe(false);
    expect(elements(board)).toEqual(["fry"]);
  });

  test("a new record, unless somebody has worked on it; a deleted one", () => {
    const board = new Board();
    board.mine(create({ title: "a" }));
    board.undo();
    expect(board.content()).toEqual([]);
    board.redo();
    expect(value(board, "title")).toBe("a");
    board.others(set({ note: "theirs" }));
    expect(board.undo()).toBe(false);
    board.mine({ kind: "delete", ...key });
    board.undo();
    expect(value(board, "note")).toBe("theirs");
  });

  test("several edits in one mutation, as one", () => {
    const board = new Board();
    board.others(create({ title: "a", votes: 1 }));
    board.mine(set({ title: "b" }), set({ title: "c" }), add(1), label("set-add", "red"));
    board.undo();
    expect(board.content()).toEqual([["cards.c1", [["title", "a"], ["votes", 1]]]]);
    board.redo();
    expect(value(board, "title")).toBe("c");
  });

  test("what is typed within half a second is one edit; another field is another", () => {
    const board = new Board({});
    board.others(create({ title: "" }));
    for (const title of ["h", "he", "hey"]) {
      board.mine(set({ title }));
      board.time += 100;
    }
    board.mine(set({ note: "n" }));
    board.time += 600;
    board.mine(set({ note: "no" }));
    board.undo();
    expect(value(board, "note")).toBe("n");
    board.undo();
    expect(value(board, "note")).toBeUndefined();
    board.undo();
    expect(value(board, "title")).toBe("");
    board.redo();
    expect(value(board, "title")).toBe("hey");
  });

  test("as many edits as the limit says; nothing that was rejected", async () => {
    const board = new Board({ capture: 0, limit: 2 });
    const space = board as unknown as Space;
    const states: unknown[] = [];
    undoState(space).subscribe((state) => states.push(state));
    board.others(create({ title: "" }));
    for (const title of ["a", "b", "c"]) board.mine(set({ title }));
    expect(undoState(space).get()).toEqual({ undo: 2, redo: 0 });
    board.fails = new Error("rejected");
    board.mine(set({ title: "d" }));
    await new Promise((resolve) => setImmediate(resolve));
    expect(undoState(space).get()).toEqual({ undo: 1, redo: 0 });
    expect(states).toEqual([{ undo: 0, redo: 0 }, { undo: 1, redo: 0 }, { undo: 2, redo: 0 }, { undo: 1, redo: 0 }]);
  });
});

const mineOps = fc.oneof(
  fc.constantFrom("a", "b", undefined).map((title) => set({ title })),
  fc.constant(unset("title")),
  fc.record({ start: fc.nat(2), end: fc.nat(2) }).map(set),
  fc.integer({ min: -3, max: 3 }).map(add),
  fc.tuple(fc.constantFrom("set-add" as const, "set-remove" as const), fc.constantFrom("red", "blue")).map(([kind, each]) => label(kind, each)),
);

test("any edits of mine alone: undo to the beginning, redo to the end", () => {
  fc.assert(
    fc.property(fc.array(fc.array(mineOps, { minLength: 1, maxLength: 3 }), { maxLength: 12 }), (edits) => {
      const board = new Board();
      board.others(create({ title: "t", votes: 0, labels: ["red"] }));
      const states = [board.content()];
      for (const ops of edits) {
        board.mine(...ops);
        if (JSON.stringify(states.at(-1)) !== JSON.stringify(board.content())) states.push(board.content());
      }
      for (const state of [...states].reverse().slice(1)) {
        while (JSON.stringify(board.content()) !== JSON.stringify(state)) expect(board.undo()).toBe(true);
      }
      while (board.undo());
      expect(board.content()).toEqual(states[0]);
      while (board.redo());
      expect(board.content()).toEqual(states.at(-1));
    }),
    { numRuns: 500 },
  );
});

test("any edits of mine and of others elsewhere: undo leaves exactly theirs", () => {
  const theirOps = fc.oneof(
    fc.constantFrom("x", "y").map((note) => set({ note })),
    fc.integer({ min: -3, max: 3 }).map(add),
    fc.constantFrom("green", "grey").map((each) => label("set-add", each)),
  );
  const step = fc.oneof(mineOps.map((op) => ({ mine: true, op })), theirOps.map((op) => ({ mine: false, op })), fc.constantFrom({ mine: true, op: undefined }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const board = new Board();
      const theirs = new Board();
      for (const each of [board, theirs]) each.others(create({ title: "t", votes: 0, labels: ["red"], start: 0, end: 0 }));
      for (const { mine, op } of steps) {
        if (!op) board.undo();
        else if (mine) board.mine(op);
        else for (const each of [board, theirs]) each.others(op);
      }
      while (board.undo());
      expect(board.content()).toEqual(theirs.content());
    }),
    { numRuns: 500 },
  );
});

describe("in a client", () => {
  beforeAll(warm);
  afterAll(() => void vi.useRealTimers());
  test("undo goes to the gateway and to the other tabs", async () => {
    const world = new World();
    const [a, b] = [world.tab(undo), world.tab()];
    const cards = a.space.collection("cards");
    b.space;
    await world.settle();
    cards.create({ title: "a", votes: 1 }, "c1");
    cards.update("c1", (draft) => (draft.title = "b"));
    await world.settle();
    b.space.collection("cards").update("c1", (draft) => (draft.note = "theirs"));
    await world.settle();
    expect(a.space.undo()).toBeDefined();
    expect(cards.get("c1")).toMatchObject({ title: "a", note: "theirs" });
    await world.settle();
    expect(world.model.value("c1", "title")).toBe("a");
    expect(b.space.collection("cards").get("c1")).toMatchObject({ title: "a" });
    a.space.redo();
    await world.settle();
    expect(world.model.value("c1", "title")).toBe("b");
    expect(() => b.space.undo()).toThrow(/undo is not set up/);
  });
});
