import { expect, test } from "vitest";
import { alive, between, compareKeys, Fold, predict, recordFromState, stateHash } from "../../src/merge/index.js";
import type { Rec } from "../../src/merge/index.js";
import { decodeDelivery, decodeMutation, decodeRecordState, encodeRecordState, fieldKinds, fromHex, NameTable, toHex } from "../../src/protocol/index.js";
import { runVectors } from "../vectors.js";

const dir = "merge/testdata/vectors";

const fromState = (hex: string): Rec => recordFromState(decodeRecordState(fromHex(hex)));
const toState = (r: Rec): string => toHex(encodeRecordState(r));
const text = (key: { collection: string; id: string }) => JSON.stringify([key.collection, key.id]);

runVectors(`${dir}/fold.json`, (given, input: string[]) => {
  const records = new Map<string, Rec>();
  for (const state of given.records) {
    const r = fromState(state);
    expect(toState(r)).toBe(state);
    records.set(text(r), r);
  }
  const names = new NameTable();
  const hashes = input.map((wire) => {
    const frames = decodeDelivery(fromHex(wire), names);
    const header = frames[0]!;
    if (header.frame !== "commit") throw new Error("no header");
    const fold = new Fold(header.seq, (key) => records.get(text(key)));
    for (const f of frames) {
      if (f.frame === "section") for (const delta of f.deltas) for (const change of delta.changes) fold.apply(change);
    }
    for (const [key, r] of fold.records()) {
      if (alive(r)) records.set(text(key), r);
      else records.delete(text(key));
    }
    return stateHash(records.values());
  });
  return { hashes, records: [...records.values()].sort(compareKeys).map(toState) };
});

runVectors(`${dir}/predict.json`, (given, input: string) => {
  let r = given.record === undefined ? undefined : fromState(given.record);
  const kinds = given.kinds && ((_: string, field: string) => fieldKinds[given.kinds[field]]);
  return decodeMutation(fromHex(input)).ops.map((op) => {
    r = predict(r, op, kinds);
    return alive(r) ? toState(r) : null;
  });
});

runVectors(`${dir}/positions.json`, (_given, [a, b]: [string, string]) => between(a, b));

test("what a gateway sends in order is taken as it is", () => {
  const state = decodeRecordState(
    encodeRecordState({
      collection: "c",
      id: "i",
      version: 1,
      fields: [
        { field: "a", kind: "plain", value: 1, elements: [] },
        { field: "s", kind: "set", value: undefined, elements: ["a", "b", "aa"].map((value) => ({ element: "", position: "", value })) },
      ],
    }),
  );
  expect(recordFromState(state)).toBe(state);
});

test("what is not in order is put in order, once", () => {
  const element = (element: string, position: string, value: string) => ({ element, position, value });
  const r = recordFromState({
    collection: "c",
    id: "i",
    version: 1,
    fields: [
      { field: "b", kind: "plain", value: 1, elements: [] },
      { field: "a", kind: "set", value: undefined, elements: [element("", "", "aa"), element("", "", "b"), element("", "", "aa")] },
      { field: "l", kind: "list", value: undefined, elements: [element("2", "a1", "y"), element("1", "a0", "x"), element("1", "a2", "z")] },
      { field: "b", kind: "plain", value: 2, elements: [] },
      { field: "none", kind: "set", value: undefined, elements: [] },
    ],
  });
  expect(r.fields.map((f) => [f.field, f.value ?? f.elements.map((e) => e.value)])).toEqual([
    ["a", ["b", "aa"]],
    ["b", 2],
    ["l", ["x", "y"]],
  ]);
});
