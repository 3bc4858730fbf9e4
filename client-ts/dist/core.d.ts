import type { SpaceData, SpaceOptions } from "./engine.js";
import { TideError } from "./error.js";
import type { Kinds } from "./merge/index.js";
import { NameTable } from "./protocol/index.js";
import type { BlobID, Conflict, Cursor, DeviceID, DevicePresence, Handle, Hash, Value, Verdict, Writable } from "./protocol/index.js";
import type { StoredPending, Written } from "./persist.js";
import type { Pending } from "./queue.js";
import type { Backoff, Link } from "./reconnect.js";
import type { RejectedEntry } from "./rejected.js";
import type { Stage } from "./snapshot.js";
import type { SpaceStatus, Stats, Status } from "./status.js";
import type { Batch, Entry } from "./store/store.js";
import { View } from "./view.js";
import type { Changes } from "./watch.js";
/** How a core behaves. */
export interface CoreConfig {
    /** Returns fresh random bytes: for device ids, and for the jitter of reconnecting. */
    readonly random: (bytes: number) => Uint8Array;
    /** How many bytes of deliveries the gateway may send ahead (1 MiB). */
    readonly window?: number;
    /** Names the library in the gateway's logs. */
    readonly client?: string;
    /** The version of the schema the app was built for; 0 for none. */
    readonly schemaVersion?: number;
    /** What `decompress` can unpack, best first. */
    readonly compression?: readonly string[];
    readonly decompress?: (dictionary: number, data: Uint8Array) => Uint8Array;
    /** Bounds the wait between attempts to connect. */
    readonly backoff?: Partial<Backoff>;
    /** How the arrays of a new record will be laid out, where the schema is known. */
    readonly kinds?: Kinds;
}
/** Something the app may want to know. */
export type CoreEvent = 
/** The mutation is durable on disk. */
{
    readonly kind: "local";
    readonly ref: number;
}
/** The mutation has its verdict; `entry` is its place in the list of rejections. */
 | {
    readonly kind: "settled";
    readonly space: string;
    readonly ref: number;
    readonly verdict: Verdict;
    readonly entry?: number;
} | {
    readonly kind: "changed";
    readonly space: string;
    readonly changes: Changes;
}
/** An overwritten value came; undefined if it is not kept any more. */
 | {
    readonly kind: "fetched";
    readonly space: string;
    readonly blob: BlobID;
    readonly value: Value | undefined;
}
/** The client's status changed. */
 | {
    readonly kind: "status";
};
/**
 * What is to be done now. Whatever depends on something durable (a push, an
 * acknowledged cursor, the event `local`) is not in it before `persisted` has said
 * that it is: everything in a Ready may be done at once, in any order among its
 * fields.
 */
export interface Ready {
    /** To be written; then call `persisted` with its token. There is one batch in flight at most. */
    persist: Batch | undefined;
    /** Messages for the connection, in order. Drop them if it has ended. */
    send: Uint8Array[];
    /** Get a token and a connection; then call `connected` or `connectFailed`. */
    connect: boolean;
    /** The token used last is not accepted any more. */
    freshToken: boolean;
    /** Get a fresh token for the live connection; then call `tokenRefreshed`. */
    refreshToken: boolean;
    /** Close the connection. The core has forgotten it: give it no more of its messages, and do not call `disconnected`. */
    close: {
        readonly code: string;
        readonly message: string;
    } | undefined;
    /** For the app, in order. */
    events: CoreEvent[];
    /** When `tick` is to be called at the latest; 0 for never. */
    wake: number;
}
/** How a space stands to the present connection: `none` is to be asked for when its time comes, `parked` was refused for as long as connection and token last. */
export type Subscription = "none" | "asked" | "live" | "parked";
/** What was pushed and not answered. */
export interface Flight {
    bytes: number;
    mutations: number;
}
/** What a client knows of a space. */
export declare class CoreSpace implements SpaceData {
    readonly name: string;
    readonly core: Core;
    /** `noDevice` until the first mutation or subscription. */
    device: DeviceID;
    cursor: Cursor;
    schemaVersion: number;
    /** Collections that are synced, in order; empty for all. */
    filter: readonly string[];
    names: NameTable;
    readonly view: View;
    rejected: readonly RejectedEntry[];
    conflicts: readonly Conflict[];
    /** Those of the device's last mutation that has left. */
    counter: number;
    hash: Hash;
    /** The greatest base that a mutation of the device was given: a base never goes back. */
    floor: number;
    /**
     * The last counter that may have been sent. It is durable before the mutation is:
     * whether a mutation could be known to the server is known after any crash.
     */
    sent: number;
    /** While the bases in the queue mean nothing to the server: nothing is pushed until they are made anew. */
    rebase: boolean;
    /** Judged; oldest first. */
    leaving: Pending[];
    /** Not judged; contiguous counters. */
    queue: Pending[];
    open: boolean;
    opened: boolean;
    priority: number;
    wantsPresence: boolean;
    presence: Value | undefined;
    readonly there: Map<string, DevicePresence>;
    present: readonly DevicePresence[];
    subscription: Subscription;
    handle: Handle;
    /** When, and how often in vain, it was asked for. */
    retryAt: number;
    attempts: number;
    error: TideError | undefined;
    /** The newest commit the server named. */
    head: number;
    writable: boolean;
    /** The last counter pushed under the handle. */
    pushed: number;
    inFlight: Flight;
    stage: Stage | undefined;
    /** What the server was told, what it may be told, and what it asked to be told at once. */
    acked: Cursor;
    durable: Cursor;
    durableSent: number;
    ackNow: number;
    /** Rejections whose payload is durable, and those to be confirmed after the next batch. */
    confirm: number[];
    confirmLater: number[];
    /** Tells a durable cursor of this history from one of another. */
    epoch: number;
    /** The device id was drawn by this process, and no server has answered for it yet. Any other may be that of a copy, too. */
    fresh: boolean;
    changedMeta: boolean;
    namesChanged: boolean;
    readonly changedRecords: Set<string>;
    /** By key, as text of one character a byte; undefined deletes. */
    readonly entries: Map<string, Uint8Array<ArrayBufferLike> | undefined>;
    queued: StoredPending[];
    /** The name table as the store has it. */
    namesSaved: string;
    keys: Set<string>;
    newsOfRejected: boolean;
    newsOfConflicts: boolean;
    newsOfPresence: boolean;
    newsOfStatus: boolean;
    lastStatus: SpaceStatus | undefined;
    constructor(name: string, core: Core);
    /** The base of a mutation that is made now. */
    get base(): number;
    get status(): SpaceStatus;
    /** Notes that the space's own entry changed. */
    save(): void;
    /** Notes that the space's status is another. */
    changed(): void;
    takeNews(): Changes | undefined;
}
/**
 * A client without its shell: a deterministic function of its configuration and
 * its inputs.
 *
 * Life: new Core; load for each stored entry; start; then any input in any order.
 * The inputs are the functions of this package that take a core and the time.
 * After each the owner takes `ready` and does what it says.
 */
export declare class Core {
    #private;
    config: Required<Omit<CoreConfig, "kinds" | "decompress" | "backoff">> & Pick<CoreConfig, "kinds" | "decompress"> & {
        readonly backoff: Backoff;
    };
    now: number;
    /** The client's primary device id, as in hello. */
    device: DeviceID;
    /** It is not stored yet; it was drawn by this process. */
    isNew: boolean;
    drawn: boolean;
    /** The last ref given to a mutation. */
    refs: number;
    readonly spaces: Map<string, CoreSpace>;
    /** In byte order of their names. */
    sorted: readonly CoreSpace[];
    /** The last mutation that was taken of each tab, and when. */
    readonly tabs: Map<string, {
        counter: number;
        at: number;
    }>;
    readonly changedTabs: Set<string>;
    readonly link: Link;
    /** The token of the last batch, and the one that is being written. */
    batches: number;
    written: Written | undefined;
    readonly stats: Stats;
    lagMs: number;
    statusChanged: boolean;
    out: Ready;
    constructor(config: CoreConfig);
    /** Says what can be unpacked, from the next hello on. */
    unpack(how: Required<Pick<CoreConfig, "compression" | "decompress">>): void;
    /** Takes an entry of the store. For all of them, in any order, before start. Throws a TideError `store-corrupt` or `store-version`. */
    load(entry: Entry): void;
    /**
     * Begins to connect. Spaces that were left with mutations in their queue are
     * synced whether they are opened or not, so that every queue drains. Throws a
     * TideError `store-corrupt` if what was loaded does not fit together.
     */
    start(now: number): void;
    /** Begins to sync a space. Opening it again changes nothing. */
    open(now: number, name: string, options?: SpaceOptions): void;
    /** Ends the sync of a space once its queue has drained. */
    release(now: number, name: string): void;
    /** Time has passed; see Ready.wake. */
    wake(now: number): void;
    /** What is to be done now; it is forgotten. */
    ready(): Ready;
    /** The client's condition: the same object until it changes. */
    get status(): Status;
    /** Moves the clock. It never goes back: a clock that was set back costs a longer wait, nothing else. */
    tick(now: number): void;
    /** Does what has become possible: timers that ran out, pushes that became durable or found room, acknowledgements that are due. */
    advance(): void;
    /** The space with the name, new if it is not known. */
    space(name: string): CoreSpace;
    newDevice(): DeviceID;
    /** Adds a message for the connection. */
    send(...frames: Writable[]): void;
    event(event: CoreEvent): void;
}
