import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts", "test/**/*.test.tsx"],
    // What needs a browser is run by a script of its own.
    exclude: ["test/browser/**", "node_modules/**"],
    // Nothing here has a time limit that a slow machine could reach.
    testTimeout: 300_000,
    hookTimeout: 0,
  },
});
