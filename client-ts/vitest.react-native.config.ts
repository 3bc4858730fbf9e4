import { defineConfig, mergeConfig } from "vitest/config";
import config from "./vitest.config.js";

// The whole suite where there is no WebAssembly, IndexedDB, locks or BroadcastChannel.
export default mergeConfig(config, defineConfig({ test: { setupFiles: ["test/without-globals.ts"], env: { SUITE: "react-native" } } }));
