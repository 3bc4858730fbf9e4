import { defineConfig } from "vitest/config";

// Browsers and gateways are slow to start and share the machine; what takes its
// time is waited for, and what never comes is the test's own business.
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/setup.ts",
    fileParallelism: false,
    testTimeout: 0,
    hookTimeout: 0,
    teardownTimeout: 60_000,
    reporters: "verbose",
  },
});
