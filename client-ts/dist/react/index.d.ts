import type { ReactElement, ReactNode } from "react";
import type { Client, Collection, Collections, Conflict, Person, QueryOptions, RejectedMutation, Row, Space, SpaceOptions, SpaceStatus, Status, Tx, Watchable, Write } from "../index.js";
/** Gives a client to the components within. The client is the app's: it is not closed here. */
export declare function TideProvider({ client, children }: {
    readonly client: Client;
    readonly children?: ReactNode;
}): ReactElement;
/** The client of the nearest TideProvider. `S` are the collections of its schema. */
export declare function useTide<S extends Collections = any>(): Client<S>;
/** A space by its name. It is open while a component that uses it is mounted; the first one's options hold. */
export declare function useSpace<S extends Collections = any>(name: string, options?: SpaceOptions): Space<S>;
/** The value of anything that can be watched. On the server, and while hydrating, it is `server`. */
export declare function useWatch<T>(watchable: Watchable<T>, server?: T): T;
/**
 * The rows of a collection that fit, in order, always up to date. A row is the same
 * object until something in it changes: give it to a memoized component.
 *
 * Options may be written in place: they are compared by content. A `where` or
 * `orderBy` that is a function needs `deps`, as an effect does.
 */
export declare function useQuery<S extends Collections, C extends keyof S & string>(collection: Collection<S, C>, options?: QueryOptions<Row<S[C]>>, deps?: readonly unknown[]): readonly Row<S[C]>[];
/** One record; undefined while there is none, and for an id that is undefined. */
export declare function useRecord<S extends Collections, C extends keyof S & string>(collection: Collection<S, C>, id: string | undefined): Row<S[C]> | undefined;
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
export declare function useMutation<S extends Collections>(space: Space<S>): readonly [(edit: (tx: Tx<S>) => void) => Write | undefined, MutationState];
/** The collisions of a space that wait for a person. */
export declare function useConflicts(space: Space<any>): readonly Conflict[];
/** The rejected mutations of a space, or of all spaces of a client, which wait for the user. */
export declare function useRejected(from: Space<any> | Client<any>): readonly RejectedMutation[];
/**
 * Who else is in a space, and how to show something to them. What was shown is
 * taken away when the component goes.
 */
export declare function usePresence(space: Space<any>): readonly [readonly Person[], (value: unknown) => void];
/** The client's condition. */
export declare function useStatus(): Status;
/** A space's condition; undefined while it is being loaded. */
export declare function useSpaceStatus(space: Space<any>): SpaceStatus | undefined;
