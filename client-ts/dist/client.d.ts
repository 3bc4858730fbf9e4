import type { Engine, EngineOptions, SpaceOptions } from "./engine.js";
import type { RejectedMutation } from "./inbox.js";
import type { Collections } from "./rows.js";
import { Space } from "./space.js";
import type { Undo } from "./space.js";
import type { Stats, Status } from "./status.js";
import type { Store } from "./store/store.js";
import type { Rules } from "./tx.js";
import type { Watchable } from "./watch.js";
/** Settings of {@link createClient}. Only `url` is needed. */
export interface ClientOptions<S extends Collections = any> extends Omit<EngineOptions, "store" | "rules"> {
    /** Keeps the client's state; it forgets everything with the tab unless one is given. The client owns it. */
    readonly store?: Store;
    /** Types the collections, checks edits on the device, and says what counters, sets and lists are. */
    readonly schema?: Rules<S>;
    /** From "@tidegate/client/undo": gives spaces undo and redo. */
    readonly undo?: (space: Space<any>) => Undo;
    /** Makes the engine. The default shares one among the tabs that have the same store; LocalEngine, of ./engine, runs it in this tab alone. */
    readonly engine?: (options: EngineOptions) => Engine;
}
/**
 * Makes a client: an app's own, durable, always writable copy of the spaces it
 * works in. It loads the store and begins to connect, and waits for neither.
 */
export declare function createClient<S extends Collections = any>(options: ClientOptions<S>): Client<S>;
/** One app's client, and one connection to a gateway that keeps it in sync. */
export declare class Client<S extends Collections = any> {
    #private;
    /** The rejected mutations of all spaces that are open, oldest first in each. */
    readonly rejected: Watchable<readonly RejectedMutation[]>;
    /** What runs the core; for tests and tools. */
    readonly engine: Engine;
    constructor(options: ClientOptions<S>);
    /**
     * Opens a space: what the store has of it can be read as soon as it is loaded,
     * and it is kept in sync from now on. The same name gives the same object, with
     * its first options; call its close once for each call of this.
     */
    space(name: string, options?: SpaceOptions): Space<S>;
    /** The client's condition: the same object until it changes. */
    get status(): Status;
    /** What was counted since the client was started; undefined in a tab that follows another. */
    get stats(): Stats | undefined;
    /** Calls `listener` with the client's condition, at once and after each change; returns how to stop that. */
    onStatus(listener: (status: Status) => void): () => void;
    /** Tries to connect at once: the network is back, or the user has logged in. Also after the gateway stopped the client. */
    reconnect(): void;
    /** Everything that is in the store, in one piece: to be kept before signing out, or for support. */
    export(): Promise<Uint8Array>;
    /**
     * Closes the client and clears its store. Rejects with a TideError `unsynced`, and
     * does nothing, while mutations wait for the gateway or for the user, unless they
     * are to be discarded.
     */
    signOut(options?: {
        readonly discard?: boolean;
    }): Promise<void>;
    /** Stops the client. What is durable stays in the store. Idempotent. */
    close(): Promise<void>;
}
