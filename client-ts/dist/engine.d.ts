import type { BlobID, Conflict, DeviceID, DevicePresence, Mutation, Value, Verdict } from "./protocol/index.js";
import type { Backoff } from "./reconnect.js";
import type { RejectedEntry } from "./rejected.js";
import type { SpaceStatus, Stats, Status } from "./status.js";
import type { Store } from "./store/store.js";
import type { Dial, WebSocketMaker } from "./transport.js";
import type { Rules } from "./tx.js";
import type { View } from "./view.js";
import type { Changes } from "./watch.js";
/** Settings of an engine. */
export interface EngineOptions {
    /** The gateway's: ws, wss, http or https; in a page also a path. */
    readonly url: string;
    /**
     * Returns an access token; called before every connection, and before the token
     * in use expires. `fresh` is true if the gateway refused the last one. It may ask
     * the user. While it fails the client stays offline and tries again. Left out:
     * none, which a gateway accepts in development mode only.
     */
    readonly token?: (fresh: boolean) => string | Promise<string>;
    /** Keeps the client's state. The engine owns it. */
    readonly store: Store;
    /** What is known of the schema. */
    readonly rules?: Rules;
    /** Instead of the platform's; Node 20 has none. */
    readonly webSocket?: WebSocketMaker;
    /** Instead of a WebSocket, for tests and other transports. */
    readonly dial?: Dial;
    /** Instead of Date.now. It decides neither order nor outcome. */
    readonly now?: () => number;
    /** Returns fresh random bytes; the platform's crypto unless given. */
    readonly random?: (bytes: number) => Uint8Array;
    /** Bounds the wait before a connection is tried again, in milliseconds: 250 to 30,000. */
    readonly backoff?: Partial<Backoff>;
    /** How many bytes the gateway may send ahead of what the client has taken (1 MiB). */
    readonly window?: number;
}
/** What the app wants of a space. */
export interface SpaceOptions {
    /**
     * Only these collections are synced; all if left out. Taking fewer than last
     * time forgets the others, taking more fetches them.
     */
    readonly collections?: readonly string[];
    /** Orders this space against the client's others, in both directions: 0 to 255, the greater first. */
    readonly priority?: number;
    /** Whether to be told who else is there (default true). */
    readonly presence?: boolean;
}
/** What an engine knows of a space that is open. Read only; it changes in place. */
export interface SpaceData {
    readonly name: string;
    /** Confirmed records with pending mutations on top. */
    readonly view: View;
    /** The device id under which this device writes here. */
    readonly device: DeviceID;
    /** The base of a mutation made now. */
    readonly base: number;
    /** Mutations that were rejected and wait for the user, oldest first. A new array after each change. */
    readonly rejected: readonly RejectedEntry[];
    /** Settled conflicts that this device lost and has not dismissed, oldest first. A new array after each change. */
    readonly conflicts: readonly Conflict[];
    /** Who else is here, ordered by device. A new array after each change. */
    readonly present: readonly DevicePresence[];
    /** The space's condition. The same object until it changes. */
    readonly status: SpaceStatus;
}
/** A mutation on its way. */
export interface Submission {
    /**
     * Settles once the mutation is durable on this device, or in the leading tab's
     * store. It rejects with a TideError if that cannot be known.
     */
    readonly local: Promise<void>;
    /**
     * Settles with the server's verdict, and the name of the entry in the list of
     * rejections if it was rejected. It rejects with a TideError if the client ends
     * before: that says nothing about the mutation.
     */
    readonly durable: Promise<Judged>;
}
/** A verdict, and the entry in the list of rejections that it made, if any. */
export interface Judged {
    readonly verdict: Verdict;
    readonly entry?: number;
}
/**
 * Names a mutation across tabs, so that one that is sent again is not queued
 * twice: each tab counts its own, from 1 on, over all spaces.
 */
export interface Origin {
    /** 32 hexadecimal digits, random for each tab. */
    readonly tab: string;
    readonly counter: number;
}
/** What an engine tells its listeners. Read the engine for what is the case now. */
export type EngineEvent = {
    readonly kind: "space";
    readonly space: string;
    readonly changes: Changes;
} | {
    readonly kind: "status";
};
/** Whoever runs the core for this tab. */
export interface Engine {
    /**
     * Begins to sync a space; opening it again changes nothing. The promise settles
     * once {@link Engine.space} has it; it rejects with a TideError if the store
     * cannot be opened.
     */
    open(space: string, options: SpaceOptions): Promise<void>;
    /** Nobody in this tab needs the space any more. Its queue still drains. */
    release(space: string): void;
    /** What is known of a space, undefined before it is open. */
    space(space: string): SpaceData | undefined;
    /**
     * Adds a mutation to the space's queue and predicts it in the view before it
     * returns. `replaces` takes an entry off the list of rejections in the same
     * write. Throws a TideError for a mutation that cannot be, of which nothing is
     * kept.
     */
    mutate(space: string, mutation: Mutation, replaces?: number): Submission;
    /** Takes an entry off the list of rejections; false if it is not there. */
    discard(space: string, entry: number): boolean;
    /** Takes a settled conflict off the list; false if it is not there. */
    dismiss(space: string, conflict: Conflict): boolean;
    /** Shows a value to the others in a space; undefined leaves. */
    setPresence(space: string, value: Value | undefined): void;
    /** Asks the gateway for an overwritten value that was too long to be told; undefined if it is not kept any more. */
    fetch(space: string, blob: BlobID): Promise<Value | undefined>;
    /** The client's condition. The same object until it changes. */
    status(): Status;
    /** What was counted since the engine was started; undefined in a tab that follows another. */
    stats(): Stats | undefined;
    /** Calls `listener` after each change; returns how to stop that. */
    watch(listener: (event: EngineEvent) => void): () => void;
    /** Tries to connect at once, also after the gateway stopped the client. */
    reconnect(): void;
    /** The time by the device's clock, in milliseconds: for edit times. */
    now(): number;
    /** Makes the id of a new record or element. */
    newID(): string;
    /** Everything that is in the store, for signing out with work that was not sent, or for support. */
    export(): Promise<Uint8Array>;
    /** Stops; what is durable stays. `forget` clears the store. Idempotent. */
    close(forget?: boolean): Promise<void>;
}
