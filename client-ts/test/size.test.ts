// What a page downloads, minified and gzipped, in bytes.
import { expect, test } from "vitest";
// @ts-expect-error: a script without types
import { bundle, sizes } from "../build.mjs";

test("the main entry, and what it loads beside the page", async () => {
  const { index } = sizes(await bundle({ index: "src/index.ts" })) as { index: { gzip: number; lazy: number } };
  // Spaces, rows, drafts, queries, tabs and IndexedDB.
  expect(index.gzip).toBeLessThanOrEqual(20_000);
  // The core, the codec and the shell, and what unpacks deliveries.
  expect(index.lazy).toBeLessThanOrEqual(26_000);
});
