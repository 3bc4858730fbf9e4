// What every store must do, run for each of them.
import { describe, expect, test } from "vitest";
import fc from "fast-check";
import { StoreError } from "../../src/store/store.js";
import type { Batch, Entry, Store, StoreErrorCode } from "../../src/store/store.js";

/** One place where stores can be opened again and again. */
export interface Place {
  open(): Store;
}

export const text = (s: string) => new TextEncoder().encode(s);
export const entry = (key: string, value: string): Entry => ({ key: text(key), value: text(value) });
export const batch = (puts: Entry[], deletes: string[] = []): Batch => ({ token: 1, puts, deletes: deletes.map(text) });
export const plain = (entries: readonly Entry[]) =>
  entries.map(({ key, value }) => [[...key].join(), [...value].join()] as const);

/** Awaits a store's error and checks its code. */
export async function fails(promise: Promise<unknown>, code: StoreErrorCode): Promise<void> {
  const error = await promise.then(() => undefined, (e: unknown) => e);
  expect(error).toBeInstanceOf(StoreError);
  expect((error as StoreError).code).toBe(code);
}

export function conformance(name: string, place: () => Place, survives = true): void {
  describe(`${name} is a store`, () => {
    test("a new one is empty, and was not evicted", async () => {
      const store = place().open();
      expect(await store.load()).toEqual([]);
      expect(store.evicted ?? false).toBe(false);
      await store.close();
    });

    test("entries come back in the order of their bytes", async () => {
      const store = place().open();
      await store.load();
      const keys = [[255], [0], [0, 0], [1, 2, 3], [1, 2], [128], [127, 255], []].filter((k) => k.length > 0);
      await store.write({ token: 1, puts: keys.map((k) => ({ key: Uint8Array.from(k), value: Uint8Array.from([k.length]) })), deletes: [] });
      const keysRead = (await store.load()).map((e) => [...e.key]);
      expect(keysRead).toEqual([[0], [0, 0], [1, 2], [1, 2, 3], [127, 255], [128], [255]]);
      await store.close();
    });

    test("a put replaces, a delete removes, a delete of nothing is nothing", async () => {
      const store = place().open();
      await store.load();
      await store.write(batch([entry("a", "1"), entry("b", "2"), entry("c", "")]));
      await store.write(batch([entry("a", "3")], ["b", "never"]));
      expect(plain(await store.load())).toEqual(plain([entry("a", "3"), entry("c", "")]));
      await store.write(batch([]));
      await store.close();
    });

    test("views into larger buffers are stored as what they show, and can be reused", async () => {
      const store = place().open();
      await store.load();
      const buffer = Uint8Array.from([9, 9, 1, 2, 3, 9, 9]);
      await store.write({ token: 1, puts: [{ key: buffer.subarray(2, 4), value: buffer.subarray(3, 5) }], deletes: [] });
      buffer.fill(7);
      const [read] = await store.load();
      expect([...read!.key]).toEqual([1, 2]);
      expect([...read!.value]).toEqual([2, 3]);
      expect(read!.value.buffer.byteLength).toBe(2);
      await store.close();
    });

    test("a batch of 10,000 is one batch", async () => {
      const store = place().open();
      await store.load();
      const puts = Array.from({ length: 10_000 }, (_, i) => entry(`k${String(i).padStart(5, "0")}`, "v".repeat(i % 100)));
      await store.write(batch(puts));
      const read = await store.load();
      expect(plain(read)).toEqual(plain(puts));
      await store.write(batch([], puts.slice(0, 9_999).map((e) => new TextDecoder().decode(e.key))));
      expect(plain(await store.load())).toEqual(plain([puts[9_999]!]));
      await store.close();
    });

    test("clear forgets everything, and the store goes on", async () => {
      const store = place().open();
      await store.load();
      await store.write(batch([entry("a", "1")]));
      await store.clear();
      await store.write(batch([entry("b", "2")]));
      expect(plain(await store.load())).toEqual(plain([entry("b", "2")]));
      await store.close();
    });

    test("a store that is not open refuses to write", async () => {
      const store = place().open();
      await fails(store.write(batch([entry("a", "1")])), "gone");
      await store.load();
      await store.close();
      await store.close();
      await fails(store.write(batch([entry("a", "1")])), "gone");
    });

    test("any sequence of batches leaves what a map would hold", async () => {
      const bytes = fc.uint8Array({ minLength: 1, maxLength: 3 });
      const batches = fc.array(
        fc.record({ puts: fc.array(fc.tuple(bytes, fc.uint8Array({ maxLength: 9 })), { maxLength: 6 }), deletes: fc.array(bytes, { maxLength: 3 }), reload: fc.boolean() }),
        { maxLength: 8 },
      );
      await fc.assert(
        fc.asyncProperty(batches, async (list) => {
          const where = place();
          let store = where.open();
          await store.load();
          const model = new Map<string, Entry>();
          for (const step of list) {
            const puts = new Map(step.puts.map(([key, value]) => [key.join(), { key, value }]));
            const deletes = new Map(step.deletes.filter((key) => !puts.has(key.join())).map((key) => [key.join(), key]));
            await store.write({ token: 0, puts: [...puts.values()], deletes: [...deletes.values()] });
            for (const [key, value] of puts) model.set(key, value);
            for (const key of deletes.keys()) model.delete(key);
            if (step.reload && survives) {
              await store.close();
              store = where.open();
            }
            if (step.reload) await store.load();
          }
          const expected = [...model.values()].sort((a, b) => Buffer.compare(a.key, b.key));
          expect(plain(await store.load())).toEqual(plain(expected));
          await store.close();
        }),
        { numRuns: 50 },
      );
    });

    if (!survives) return;

    test("what was written is there after a reload, without a close before it", async () => {
      const where = place();
      const store = where.open();
      await store.load();
      await store.write(batch([entry("a", "1")]));
      const next = where.open();
      expect(plain(await next.load())).toEqual(plain([entry("a", "1")]));
      expect(next.evicted ?? false).toBe(false);
      await next.close();
    });

    test("whoever loads owns the store: the owner before is told at its next write, and changes nothing", async () => {
      const where = place();
      const old = where.open();
      await old.load();
      await old.write(batch([entry("a", "1")]));
      const next = where.open();
      await next.load();
      await fails(old.write(batch([entry("a", "2"), entry("b", "2")])), "in-use");
      await fails(old.clear(), "in-use");
      await next.write(batch([entry("c", "3")]));
      expect(plain(await next.load())).toEqual(plain([entry("a", "1"), entry("c", "3")]));
      await next.close();
    });
  });
}
