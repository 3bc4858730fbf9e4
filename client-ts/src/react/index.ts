// React hooks over what the client has: each shows a value and renders again when
// it is another, and only then.
import { createContext, createElement, useCallback, useContext, useEffect, useMemo, useReducer, useRef, useState, useSyncExternalStore } from "react";
import type { ReactElement, ReactNode } from "react";
import type {
  Client, Collection, Collections, Conflict, Person, QueryOptions, RejectedMutation, Row, Space, SpaceOptions, SpaceStatus, Status, Tx, Watchable, Write,
} from "../index.js";
import { holdSpace } from "./hold.js";

const Context = createContext<Client | undefined>(undefined);

/** Gives a client to the components within. The client is the app's: it is not closed here. */
export function TideProvider({ client, children }: { readonly client: Client; readonly children?: ReactNode }): ReactElement {
  return createElement(Context.Provider, { value: client }, children);
}

/** The client of the nearest TideProvider. `S` are the collections of its schema. */
export function useTide<S extends Collections = any>(): Client<S> {
  const client = useContext(Context);
  if (!client) throw new Error("useTide: there is no <TideProvider client={…}> above this component");
  return client as Client<S>;
}

/** A space by its name. It is open while a component that uses it is mounted; the first one's options hold. */
export function useSpace<S extends Collections = any>(name: string, options?: SpaceOptions): Space<S> {
  const client = useTide<S>();
  const held = holdSpace(client, name, options);
  const [, again] = useReducer((n: number) => n + 1, 0);
  useEffect(() => {
    const unmount = held.mount();
    if (!unmount) again();
    return unmount;
  }, [held]);
  return held.space as Space<S>;
}

/** The value of anything that can be watched. On the server, and while hydrating, it is `server`. */
export function useWatch<T>(watchable: Watchable<T>, server?: T): T {
  const subscribe = useCallback((changed: () => void) => watchable.subscribe(changed), [watchable]);
  const fallback = useRef({ value: server as T });
  return useSyncExternalStore(subscribe, () => watchable.get(), () => (server === undefined ? watchable.get() : fallback.current.value));
}

const none: readonly never[] = [];

/**
 * The rows of a collection that fit, in order, always up to date. A row is the same
 * object until something in it changes: give it to a memoized component.
 *
 * Options may be written in place: they are compared by content. A `where` or
 * `orderBy` that is a function needs `deps`, as an effect does.
 */
export function useQuery<S extends Collections, C extends keyof S & string>(
  collection: Collection<S, C>,
  options: QueryOptions<Row<S[C]>> = {},
  deps?: readonly unknown[],
): readonly Row<S[C]>[] {
  if (!deps && (typeof options.where === "function" || typeof options.orderBy === "function")) {
    throw new TypeError("useQuery: where or orderBy is a function; say in a third argument what it depends on");
  }
  const { space, name } = collection;
  const query = useMemo(() => collection.query(options), [space, name, ...(deps ?? [JSON.stringify(options)])]);
  return useWatch(query, none);
}

/** One record; undefined while there is none, and for an id that is undefined. */
export function useRecord<S extends Collections, C extends keyof S & string>(
  collection: Collection<S, C>,
  id: string | undefined,
): Row<S[C]> | undefined {
  const { space, name } = collection;
  const record = useMemo(() => (id === undefined ? nobody : collection.record(id)), [space, name, id]);
  return useWatch<Row<S[C]> | undefined>(record);
}

const nobody: Watchable<undefined> = { get: () => undefined, subscribe: () => () => {} };

/** What became of the edits that a component made. */
export interface MutationState {
  /** How many wait for their verdict. */
  readonly pending: number;
  /** Why the last that failed did: a Rejected, or a TideError. */
  readonly error: Error | undefined;
  /** Forgets the error. */
  readonly reset: () => void;
}

/**
 * A function that makes one mutation of several edits, and what became of those
 * made with it. It throws nothing: what cannot be is the state's error, too, and
 * then the function returns undefined.
 */
export function useMutation<S extends Collections>(space: Space<S>): readonly [(edit: (tx: Tx<S>) => void) => Write | undefined, MutationState] {
  const [state, setState] = useState<{ pending: number; error: Error | undefined }>({ pending: 0, error: undefined });
  const mounted = useRef(true);
  useEffect(() => {
    mounted.current = true;
    return () => void (mounted.current = false);
  }, []);
  const change = useCallback((by: number, error?: Error) => {
    if (mounted.current) setState((s) => ({ pending: s.pending + by, error: error ?? s.error }));
  }, []);
  const mutate = useCallback(
    (edit: (tx: Tx<S>) => void) => {
      try {
        const write = space.mutate(edit);
        change(1);
        write.durable.then(() => change(-1), (error: Error) => change(-1, error));
        return write;
      } catch (error) {
        change(0, error as Error);
        return undefined;
      }
    },
    [space, change],
  );
  const reset = useCallback(() => setState((s) => ({ ...s, error: undefined })), []);
  return [mutate, { ...state, reset }];
}

/** The collisions of a space that wait for a person. */
export function useConflicts(space: Space<any>): readonly Conflict[] {
  return useWatch(space.conflicts, none);
}

/** The rejected mutations of a space, or of all spaces of a client, which wait for the user. */
export function useRejected(from: Space<any> | Client<any>): readonly RejectedMutation[] {
  return useWatch(from.rejected, none);
}

/**
 * Who else is in a space, and how to show something to them. What was shown is
 * taken away when the component goes.
 */
export function usePresence(space: Space<any>): readonly [readonly Person[], (value: unknown) => void] {
  const people = useWatch(space.presence, none);
  const shown = useRef(false);
  const show = useCallback(
    (value: unknown) => {
      shown.current = value !== undefined;
      space.presence.set(value);
    },
    [space],
  );
  useEffect(
    () => () => {
      if (shown.current) space.presence.set(undefined);
      shown.current = false;
    },
    [space],
  );
  return [people, show];
}

/** The client's condition. */
export function useStatus(): Status {
  const client = useTide();
  const subscribe = useCallback((changed: () => void) => client.onStatus(changed), [client]);
  const get = () => client.status;
  return useSyncExternalStore(subscribe, get, get);
}

/** A space's condition; undefined while it is being loaded. */
export function useSpaceStatus(space: Space<any>): SpaceStatus | undefined {
  const subscribe = useCallback((changed: () => void) => space.onStatus(changed), [space]);
  return useSyncExternalStore(subscribe, () => space.status, () => undefined);
}
