import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { predict } from "../../src/merge/index.js";
import type { Rec } from "../../src/merge/index.js";
import { decodeMutation } from "../../src/protocol/mutation.js";
import type { Mutation, Value } from "../../src/protocol/index.js";
import { refusal } from "../../src/schema/check.js";
import type { Refusal } from "../../src/schema/check.js";
import { defineSchema } from "../../src/schema/index.js";
import type { JSONSchema } from "../../src/schema/index.js";
import { keyText } from "../../src/watch.js";
import type { Key } from "../../src/watch.js";

// What the gateway's merge says of the same edits; package merge writes it.
const vectors = JSON.parse(readFileSync(new URL("../../../merge/testdata/vectors/schema.json", import.meta.url), "utf8")) as {
  values: Value[];
  keywords: { schema: JSONSchema; refused: Record<string, Refusal> }[];
  sets: Record<string, Record<string, JSONSchema>>;
  cases: { name: string; set: string; before?: string; body: string; refused?: Refusal; gateway?: boolean }[];
};

/** Keywords that only the gateway asserts: a device lets their breaches through. */
const beyond = ["hostname", "no-such-format", "unevaluatedProperties", "contentEncoding", "(?i)", "\\\\pL", "#anchored", "\\\\S", '{"not":{"format"'];

const definitions = {
  short: { type: "string", maxLength: 2 },
  loop: { type: "object", properties: { a: { $ref: "#/$defs/loop" } } },
  anchored: { $anchor: "anchored", type: "integer" },
};

const mutation = (op: Mutation["ops"][number]): Mutation => ({ base: 0, editTime: 0, schemaVersion: 1, whole: false, preconditions: [], ops: [op] });

describe("keywords of JSON Schema are judged as by the gateway", () => {
  for (const { schema: property, refused } of vectors.keywords) {
    const source = JSON.stringify(property);
    test(source, () => {
      const schema = defineSchema({
        collections: { things: { type: "object", properties: { f: property }, $defs: definitions }, other: { $defs: { long: { minLength: 3 } } } },
      });
      const key = { collection: "things", id: "r1" };
      const empty = predict(undefined, { kind: "create", ...key, fields: [] });
      let caught = 0;
      vectors.values.forEach((value, i) => {
        const why = refusal(schema, mutation({ kind: "set", ...key, fields: [{ field: "f", value }] }), () => empty);
        const expected = refused[i];
        const about = `${source} of ${JSON.stringify(value)}`;
        if (!expected) expect(why, `${about} is refused, but not by the gateway`).toBeUndefined();
        else if (why) {
          caught++;
          expect({ code: why.code, field: why.field }, about).toEqual({ code: expected.code, field: expected.field });
          if (!expected.message.includes("breaks the schema") && !/\d{7}/.test(expected.message)) expect(why.message, about).toBe(expected.message);
        } else expect(beyond.some((word) => source.includes(word)), `${about} is let through; the gateway says ${expected.message}`).toBe(true);
      });
      if (!beyond.some((word) => source.includes(word))) expect(caught).toBe(Object.keys(refused).length);
    });
  }
});

describe("ops are judged as by the gateway", () => {
  for (const { name, set, before, body, refused, gateway } of vectors.cases) {
    test(name, () => {
      const schema = defineSchema({ collections: vectors.sets[set]! });
      const records = new Map<string, Rec | undefined>();
      const look = (key: Key) => records.get(keyText(key));
      if (before) for (const op of decodeMutation(Buffer.from(before, "hex")).ops) records.set(keyText(op), predict(look(op), op, (_, field) => ({ labels: "set", steps: "list", "place.doors": "set" } as const)[field]));
      const why = refusal(schema, decodeMutation(Buffer.from(body, "hex")), look);
      expect(why).toEqual(gateway ? undefined : refused);
    });
  }
});
