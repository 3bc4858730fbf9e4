import { reader } from "./path.js";

/** An index of rows by the value at a path. Only values that are compared by identity are told apart. */
export interface Index<R> {
  /** Notes that a row became another; undefined for none. */
  move(before: R | undefined, after: R | undefined): void;
  /** The rows that may have one of the values: all that have, and perhaps others. */
  candidates(values: readonly unknown[]): Iterable<R>;
}

/** What an array or an object is indexed as: it is found among all of its kind. */
const other = Symbol();

const keyOf = (value: unknown): unknown => (typeof value === "object" && value !== null ? other : value);

/** Indexes rows by the value at a path. */
export function indexBy<R extends { readonly id: string }>(path: string, rows: Iterable<R>): Index<R> {
  const read = reader(path);
  const buckets = new Map<unknown, Map<string, R>>();
  const index: Index<R> = {
    move(before, after) {
      const from = before && keyOf(read(before));
      const to = after && keyOf(read(after));
      if (before && !(after && from === to)) {
        const bucket = buckets.get(from);
        bucket?.delete(before.id);
        if (bucket?.size === 0) buckets.delete(from);
      }
      if (after) {
        const bucket = buckets.get(to);
        if (bucket) bucket.set(after.id, after);
        else buckets.set(to, new Map([[after.id, after]]));
      }
    },
    *candidates(values) {
      for (const key of new Set(values.map(keyOf))) yield* buckets.get(key)?.values() ?? [];
    },
  };
  for (const row of rows) index.move(undefined, row);
  return index;
}
