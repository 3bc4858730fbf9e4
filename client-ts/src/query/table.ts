import { same } from "../rows.js";
import { tell } from "../watch.js";
import type { Index } from "./lookup.js";
import { indexBy } from "./lookup.js";
import type { Change, Live, Query, QueryOptions } from "./query.js";
import { createQuery } from "./query.js";
import type { Filter } from "./where.js";

/** Where a table's rows come from: a collection of a space's view. */
export interface Source<R> {
  /** The ids of the rows, in any order. */
  ids(): Iterable<string>;
  /** The row as it is now, undefined if there is none. Rows are never changed. */
  row(id: string): R | undefined;
  /** False while the rows are still being loaded: there are none yet, and nobody is told so. */
  ready?(): boolean;
}

/**
 * The rows of one collection, and the queries on them. A row stays the same
 * object as long as nothing in it changes, whatever happens below (a prediction
 * that is confirmed, a snapshot that brings what was there).
 */
export interface Table<R extends { readonly id: string }> {
  /** The row of that id, undefined if there is none. */
  get(id: string): R | undefined;
  /** Calls the listener after each change of the row of that id; returns how to stop it. */
  watch(id: string, listener: () => void): () => void;
  /** Makes a query. It costs nothing until it is read. */
  query(options?: QueryOptions<R>): Query<R>;
  /** Says which rows may have changed; all of them if left out. */
  changed(ids?: Iterable<string>): void;
}

/** What queries need of their table. */
export interface Rows<R> {
  readonly source: Source<R>;
  /** Counts changes of the rows. Reading it brings the rows up to date. */
  version(): number;
  /** All rows that pass the filter, in any order. */
  select(filter: Filter<R>): R[];
  /** Has the query told of changes until the returned function is called. */
  attach(query: Live<R>): () => void;
}

/** Makes a table. Nothing is read before somebody asks. */
export function createTable<R extends { readonly id: string }>(source: Source<R>): Table<R> {
  const rows = new Map<string, R>();
  /** Whether rows has all rows, not only those that were asked for. */
  let complete = false;
  let version = 0;
  const dirty = new Set<string>();
  const live = new Set<Live<R>>();
  const watchers = new Map<string, Set<() => void>>();
  /** By path: an index, or false where one query has asked. The second makes it: what is asked once is not worth it. */
  const indexes = new Map<string, Index<R> | false>();

  function refresh(id: string): Change<R> | undefined {
    const before = rows.get(id);
    const now = source.row(id);
    if (now === before || (before && now && same(before, now))) return undefined;
    if (now) rows.set(id, now);
    else rows.delete(id);
    for (const index of indexes.values()) if (index) index.move(before, now);
    return { id, before, after: now };
  }

  /** Brings the rows, the indexes and the queries that are followed up to date, and returns whom to tell. */
  function flush(): (() => void)[] {
    if (dirty.size === 0) return [];
    const changes: Change<R>[] = [];
    for (const id of dirty) {
      const change = complete || rows.has(id) || watchers.has(id) ? refresh(id) : undefined;
      if (change) changes.push(change);
    }
    dirty.clear();
    if (changes.length === 0) return [];
    version++;
    const heard: (() => void)[] = [];
    for (const query of live) if (query.apply(changes)) heard.push(...query.listeners);
    for (const { id } of changes) heard.push(...(watchers.get(id) ?? []));
    return heard;
  }

  function completed(): void {
    if (!complete) {
      complete = true;
      for (const id of source.ids()) if (!rows.has(id)) refresh(id);
    }
  }

  const shared: Rows<R> = {
    source,
    version() {
      later(flush());
      return version;
    },
    select({ test, lookup }) {
      completed();
      let candidates: Iterable<R> = rows.values();
      if (lookup) {
        let index = indexes.get(lookup.path);
        if (index === false) indexes.set(lookup.path, (index = indexBy(lookup.path, candidates)));
        if (index) candidates = index.candidates(lookup.values);
        else indexes.set(lookup.path, false);
      }
      const found: R[] = [];
      for (const row of candidates) if (test(row)) found.push(row);
      return found;
    },
    attach(query) {
      live.add(query);
      return () => void live.delete(query);
    },
  };

  function get(id: string): R | undefined {
    later(flush());
    if (!complete && !rows.has(id)) refresh(id);
    return rows.get(id);
  }

  return {
    get,
    watch(id, listener) {
      get(id); // what changes is seen against what is now
      const listeners = watchers.get(id) ?? new Set();
      watchers.set(id, listeners);
      const own = () => listener();
      listeners.add(own);
      return () => {
        listeners.delete(own);
        if (listeners.size === 0 && watchers.get(id) === listeners) watchers.delete(id);
      };
    },
    query: (options = {}) => createQuery(shared, options),
    changed(ids) {
      for (const id of ids ?? rows.keys()) dirty.add(id);
      if (ids === undefined && complete) for (const id of source.ids()) dirty.add(id);
      // All are up to date before the first is told: what one reads fits what another shows.
      if (live.size > 0 || watchers.size > 0) tell(flush());
      // After a load there may be nothing, and followers who do not know yet that it is all.
      if (ids === undefined) for (const query of live) tell(query.listeners);
    },
  };
}

/** Reading calls no listeners before it has returned: a component that renders must not make others render. */
function later(listeners: readonly (() => void)[]): void {
  if (listeners.length > 0) queueMicrotask(() => tell(listeners));
}
