import type { Watchable } from "../watch.js";
import type { OrderBy } from "./order.js";
import { comparator } from "./order.js";
import type { Rows } from "./table.js";
import type { Filter, Where } from "./where.js";
import { compileWhere } from "./where.js";

/** What a query asks for; everything may be left out. */
export interface QueryOptions<R> {
  /** Which rows; all if left out. */
  readonly where?: Where<R> | undefined;
  /** In which order; rows that are equal in it, or all if left out, stand in the order of their ids. */
  readonly orderBy?: OrderBy<R> | undefined;
  /** How many rows at most, the first ones of the order. */
  readonly limit?: number | undefined;
}

/**
 * Rows of a collection that pass a filter, in order, kept up to date. It is the
 * same array until one of its rows changes, comes or goes; a new array has the same
 * objects for the rows that did not change. Nobody needs to close a query.
 */
export type Query<R> = Watchable<readonly R[]>;

/** A row that became another; undefined for none. */
export interface Change<R> {
  readonly id: string;
  readonly before: R | undefined;
  readonly after: R | undefined;
}

/** A query that somebody follows. */
export interface Live<R> {
  /** Takes changes in; says whether the result is another now. */
  apply(changes: readonly Change<R>[]): boolean;
  readonly listeners: ReadonlySet<() => void>;
}

/** Makes a query on a table's rows. Throws a TypeError for options that cannot be. */
export function createQuery<R extends { readonly id: string }>(table: Rows<R>, options: QueryOptions<R>): Query<R> {
  const filter: Filter<R> = compileWhere(options.where);
  const compare = comparator(options.orderBy);
  const limit = options.limit ?? Infinity;
  if (!(limit >= 0)) throw new TypeError(`limit: a number from 0 on, not ${limit}`);
  /** All rows that pass, in order, also beyond the limit: what moves up is there. Undefined if it must be made anew. */
  let matches: R[] | undefined;
  let result: readonly R[] = [];
  /** The table's version that matches is of, while nobody follows. */
  let seen = -1;
  const listeners = new Set<() => void>();
  let detach: (() => void) | undefined;

  function rebuild(): void {
    matches = undefined; // stays so if the filter or the order throws
    const found = table.select(filter).sort(compare);
    matches = found;
    const shown = found.length > limit ? found.slice(0, limit) : found.slice();
    if (shown.length !== result.length || shown.some((row, i) => row !== result[i])) result = shown;
  }

  /** Where the row stands, or would stand. */
  function place(list: readonly R[], row: R): number {
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(list[middle] as R, row) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  const own: Live<R> = {
    apply(changes) {
      const list = matches;
      matches = undefined;
      try {
        // Many changes cost more one by one than together.
        if (!list || changes.length > 16 + list.length / 8) {
          const before = result;
          rebuild();
          return result !== before;
        }
        let first = Infinity;
        for (const { before, after } of changes) {
          const from = before ? place(list, before) : -1;
          const was = before !== undefined && list[from] === before;
          const is = after !== undefined && filter.test(after);
          if (was && is && compare(before, after) === 0) list[from] = after;
          else if (was) list.splice(from, 1);
          if (was) first = Math.min(first, from);
          if (is && !(was && compare(before, after) === 0)) {
            const to = place(list, after);
            list.splice(to, 0, after);
            first = Math.min(first, to);
          }
        }
        matches = list;
        if (first >= limit) return false;
        if (first === Infinity) return false;
        result = list.slice(0, limit === Infinity ? undefined : limit);
        return true;
      } catch {
        return true; // whoever reads next makes it anew, and sees the error
      }
    },
    listeners,
  };

  const query: Query<R> = {
    get() {
      const version = table.version();
      if (!matches || (!detach && version !== seen)) rebuild();
      seen = version;
      return result;
    },
    subscribe(listener) {
      let last: readonly R[] | undefined;
      const look = () => {
        const rows = query.get();
        if (table.source.ready?.() === false) return;
        if (rows !== last && (!last || listeners.has(look))) listener((last = rows));
      };
      query.get(); // up to date before changes come in, and it throws here if it cannot be
      detach ??= table.attach(own);
      listeners.add(look);
      look();
      return () => {
        listeners.delete(look);
        if (listeners.size > 0) return;
        detach?.();
        detach = undefined;
      };
    },
  };
  return query;
}
