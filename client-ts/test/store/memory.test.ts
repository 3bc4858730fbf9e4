import { memoryStore } from "../../src/store/memory.js";
import { conformance } from "./conformance.js";

conformance("memoryStore", () => {
  const store = memoryStore();
  return { open: () => store };
}, false);
