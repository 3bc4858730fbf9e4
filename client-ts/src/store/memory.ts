import { StoreError } from "./store.js";
import type { Batch, Entry, Store } from "./store.js";

/** A store in memory, for tests, servers and private windows. */
export interface MemoryStore extends Store {
  /** What the store holds, in order. */
  entries(): Entry[];
}

/**
 * Returns a store that lives as long as the object does: nothing survives a reload.
 * A closed one can be loaded again, by the same client or by another.
 */
export function memoryStore(initial: readonly Entry[] = []): MemoryStore {
  const held = new Map<string, Entry>(initial.map((entry) => [textOf(entry.key), copy(entry)]));
  let open = false;
  const entries = () =>
    [...held.keys()].sort().map((key) => copy(held.get(key) as Entry));
  return {
    entries,
    async load() {
      open = true;
      return entries();
    },
    async write(batch: Batch) {
      if (!open) throw new StoreError("gone", "the memory store is closed");
      for (const entry of batch.puts) held.set(textOf(entry.key), copy(entry));
      for (const key of batch.deletes) held.delete(textOf(key));
    },
    async clear() {
      held.clear();
    },
    async close() {
      open = false;
    },
  };
}

/** Text of one character a byte: it sorts as the bytes do. */
function textOf(key: Uint8Array): string {
  return String.fromCharCode(...key);
}

function copy(entry: Entry): Entry {
  return { key: entry.key.slice(), value: entry.value.slice() };
}
