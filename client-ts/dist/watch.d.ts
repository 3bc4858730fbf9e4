/** Names a record in its space. */
export interface Key {
    readonly collection: string;
    readonly id: string;
}
/** A key as one string. Collections contain no ".", so it is never ambiguous. */
export declare function keyText(key: Key): string;
/** The key that `keyText` made the text of. */
export declare function keyOf(text: string): Key;
/**
 * What is different in a space since the last time. Read the space for what it is
 * now: changes between are not kept.
 */
export interface Changes {
    /**
     * The records that look different, or whose marks do. Open conflicts are records
     * of the collection `_conflicts`. "all" after the engine was exchanged.
     */
    readonly keys: readonly Key[] | "all";
    /** The list, or the condition, of that name changed. */
    readonly rejected: boolean;
    readonly conflicts: boolean;
    readonly presence: boolean;
    readonly status: boolean;
}
/** Something to look at and to be told of. */
export interface Watchable<T> {
    /** The present value: the same object until something in it differs. */
    get(): T;
    /**
     * Calls `listener` with the present value, at once unless it is still being
     * loaded, and again after each change. Returns how to stop that.
     */
    subscribe(listener: (value: T) => void): () => void;
}
/** Returns `before` if `now` has the same items. */
export declare function sameList<T>(now: readonly T[], before: readonly T[]): readonly T[];
/** Calls each listener; one that throws does not keep the others from being told. */
export declare function tell<A extends unknown[]>(listeners: Iterable<(...args: A) => void>, ...args: A): void;
/** Shows an error of the app's own code as an uncaught one, where it can be found. */
export declare function report(error: unknown): void;
/**
 * Makes a Watchable of a function that returns the present value, or undefined
 * while there is none, and of one that tells of possible changes. Listeners hear
 * of a value only if it is another object.
 */
export declare function watchable<T>(read: () => T | undefined, none: T, watch: (changed: () => void) => () => void): Watchable<T>;
