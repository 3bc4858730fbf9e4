import { expect, test } from "vitest";

// See vitest.react-native.config.ts.
test.runIf(process.env["SUITE"] === "react-native")("there is nothing here that React Native does not have", () => {
  const there = ["WebAssembly", "indexedDB", "BroadcastChannel", "navigator", "localStorage"].filter((name) => name in globalThis);
  expect(there).toEqual([]);
});
