// Runs the shared vectors, which the Go packages write, and compares how many
// were run with how many there are.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { fromHex } from "../src/protocol/index.js";

export interface Vector {
  readonly comment: string;
  readonly given?: any;
  readonly input: any;
  readonly want: any;
}

/** Runs each vector of a file, by its path from the repository's root. */
export function runVectors(path: string, run: (given: any, input: any, want: any) => unknown): void {
  const file = JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), "utf8"));
  let ran = 0;
  test(path, () => {
    for (const { comment, given, input, want } of file.vectors as Vector[]) {
      let got: unknown;
      try {
        got = run(given, input, want);
      } catch (error) {
        throw new Error(`${path}: ${comment}`, { cause: error });
      }
      expect(toJSON(got), comment).toEqual(want);
      ran++;
    }
    expect(ran).toBe(file.count);
  });
}

/** What a vector shows: undefined properties left out, bytes of values tagged. */
function toJSON(x: unknown): unknown {
  return x === undefined ? undefined : JSON.parse(JSON.stringify(x));
}

/** A value as vectors show it: plain JSON, with bytes as {"$bytes": hex}. */
export function tagged(x: unknown): unknown {
  if (x instanceof Uint8Array) return { $bytes: Buffer.from(x).toString("hex") };
  if (Array.isArray(x)) return x.map(tagged);
  if (typeof x === "object" && x !== null) return Object.fromEntries(Object.entries(x).map(([key, v]) => [key, tagged(v)]));
  return x;
}

/** The value that tagged shows. */
export function untagged(x: any): any {
  if (Array.isArray(x)) return x.map(untagged);
  if (typeof x !== "object" || x === null) return x;
  if (typeof x.$bytes === "string") return fromHex(x.$bytes);
  return Object.fromEntries(Object.entries(x).map(([key, v]) => [key, untagged(v)]));
}
