import fc from "fast-check";
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { loadUnpacking } from "../../src/compress/index.js";
import { maxRatio, unzstd } from "../../src/compress/zstd.js";
import { fromHex } from "../../src/protocol/index.js";
import { runVectors } from "../vectors.js";
import vectors from "../../../compress/testdata/vectors/zstd.json" with { type: "json" };

runVectors("compress/testdata/vectors/zstd.json", (given, input) => {
  try {
    const content = unzstd(fromHex(input), given.limit);
    return { size: content.length, sha256: createHash("sha256").update(content).digest("hex") };
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError);
    return { refused: true };
  }
});

test("broken data is refused, or gives no more than it declares", () => {
  const packed = vectors.vectors.filter((v) => v.input.length < 2000).map((v) => fromHex(v.input));
  const limit = 4096;
  fc.assert(
    fc.property(fc.constantFrom(...packed), fc.array(fc.tuple(fc.nat(1000), fc.nat(255)), { maxLength: 3 }), (data, changes) => {
      const broken = data.slice();
      for (const [at, b] of changes) if (broken.length > 0) broken[at % broken.length] = b;
      try {
        const content = unzstd(broken, limit);
        expect(content.length).toBeLessThanOrEqual(Math.min(limit, maxRatio * broken.length));
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    }),
    { numRuns: 1000 },
  );
});

test("is loaded on demand, for plain zstd", async () => {
  const unpacking = (await loadUnpacking())!;
  expect(unpacking.compression).toEqual(["zstd"]);
  const v = vectors.vectors[0]!;
  expect(unpacking.decompress(0, fromHex(v.input)).length).toBe(v.want.size);
  expect(() => unpacking.decompress(7, fromHex(v.input))).toThrow(RangeError);
});
