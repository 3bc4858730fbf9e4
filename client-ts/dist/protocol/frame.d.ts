import type { Change } from "./change.js";
import type { Conflict } from "./conflict.js";
import type { Author, BlobID, CommitID, Cursor, DeviceID, Handle, Hash, Time } from "./ids.js";
import type { RecordState } from "./record.js";
import type { Value } from "./value.js";
import type { Verdict } from "./verdict.js";
/** The first frame of a connection, from the client. Subscribes and pushes may stand in the same message. */
export interface Hello {
    readonly frame: "hello";
    readonly version: number;
    /** What the client can decode, best first: "zstd", "zstd:<dictionary id>". */
    readonly compression: readonly string[];
    /** Empty in development mode. */
    readonly token: string;
    readonly device: DeviceID;
    readonly clock: Time;
    /** How many bytes of deliveries may be unacknowledged; 0 for the default, 1 MiB. */
    readonly window: number;
    /** Library and version, for the operator. */
    readonly client: string;
}
export interface Welcome {
    readonly frame: "welcome";
    readonly version: number;
    /** What the gateway will use: "none", "zstd" or "zstd:<dictionary id>". */
    readonly compression: string;
    readonly session: string;
    readonly clock: Time;
    readonly user: string;
    /** When the token ends; 0 for never. */
    readonly expires: Time;
    /** What the client may have pushed without a verdict, in bytes of bodies. */
    readonly window: number;
    /** … and in mutations. */
    readonly windowMutations: number;
    /** The largest message. */
    readonly frameBytes: number;
    /** The largest body. */
    readonly mutationBytes: number;
    /** Milliseconds; who is silent for twice as long may be presumed dead. */
    readonly pingEvery: number;
}
export interface Subscribe {
    readonly frame: "subscribe";
    readonly handle: Handle;
    readonly space: string;
    /** The id under which the client writes in this space. */
    readonly device: DeviceID;
    /** Where the client stands; `noCursor` for a new device. */
    readonly cursor: Cursor;
    /** The newest counter for which the client has the gateway's word. */
    readonly counter: number;
    /** Restricts deliveries; empty for all. */
    readonly collections: readonly string[];
    /** 0–255; the greater is served first. */
    readonly priority: number;
    readonly presence: boolean;
}
/** How the gateway brings the client to head, in the order of the numbers on the wire. */
export declare const subscribeModes: readonly [
/** The commits after the cursor follow. */
"resume", 
/** A snapshot follows and replaces the confirmed state; the queue stays. */
"snapshot", 
/** The same, and the cursor belongs to a history that this space does not have: take a new device id. */
"other-history"];
export type SubscribeMode = (typeof subscribeModes)[number];
/** One of a device's last mutations, as the server remembers it. */
export interface Recent {
    /** The running hash after it. */
    readonly hash: Hash;
    /** Whether any of it was rejected. */
    readonly rejected: boolean;
}
export interface Subscribed {
    readonly frame: "subscribed";
    readonly handle: Handle;
    readonly mode: SubscribeMode;
    /** The newest commit known to be durable. */
    readonly head: Cursor;
    /** The oldest seq from which the log serves devices. */
    readonly horizon: number;
    /** Whether the space has an entry for the device. */
    readonly known: boolean;
    /** The device's last committed counter, and its running hash there. */
    readonly counter: number;
    readonly hash: Hash;
    /** The last mutations up to counter. */
    readonly recent: readonly Recent[];
    /** Rejections that the device has not confirmed. */
    readonly rejections: readonly Verdict[];
    /** Whether the token allows writing. */
    readonly write: boolean;
    /** Of the schema that the gateway merges under; 0 for none. */
    readonly schemaVersion: number;
}
export interface Unsubscribe {
    readonly frame: "unsubscribe";
    readonly handle: Handle;
}
/** The subscription has ended: asked for (the code is empty), or because of what code and message say. */
export interface Unsubscribed {
    readonly frame: "unsubscribed";
    readonly handle: Handle;
    readonly code: string;
    readonly message: string;
}
export interface Push {
    readonly frame: "push";
    readonly handle: Handle;
    /** The counter of the first body. */
    readonly first: number;
    /** The device's running hash before it. */
    readonly previous: Hash;
    readonly bodies: readonly Uint8Array[];
}
export interface Verdicts {
    readonly frame: "verdicts";
    readonly handle: Handle;
    readonly counter: number;
    readonly hash: Hash;
    /** The push did not continue: nothing of it was taken. */
    readonly replay: boolean;
    readonly list: readonly Verdict[];
}
/** Says which subscription the delivery frames behind it belong to, up to the next one. */
export interface In {
    readonly frame: "in";
    readonly handle: Handle;
}
/** A mutation as a commit's header shows it. */
export interface MutationStamp {
    /** An index into the header's authors. */
    readonly author: number;
    readonly base: number;
    readonly editTime: Time;
}
/** Opens a commit; its sections follow in the same message. */
export interface CommitHeader {
    readonly frame: "commit";
    readonly seq: number;
    readonly id: CommitID;
    readonly time: Time;
    readonly schemaVersion: number;
    /** Acknowledge at once: convergence is measured on such commits. */
    readonly ackNow: boolean;
    /** The number of the first of `names` in the name table. */
    readonly firstName: number;
    readonly names: readonly string[];
    readonly authors: readonly Author[];
    readonly mutations: readonly MutationStamp[];
}
/** What one mutation changed in one collection. */
export interface Delta {
    /** An index into the header's mutations. */
    readonly mutation: number;
    readonly changes: readonly Change[];
}
/** What a commit changed in one collection under one label. */
export interface Section {
    readonly frame: "section";
    readonly label: number;
    readonly collection: string;
    readonly deltas: readonly Delta[];
}
/** Tells a device of a conflict that it lost, or is asked to settle. */
export interface ConflictNotice extends Conflict {
    readonly frame: "conflict";
}
/** Moves the cursor over commits of which the connection sees nothing. */
export interface Advance {
    readonly frame: "advance";
    readonly cursor: Cursor;
}
export interface Snapshot {
    readonly frame: "snapshot";
    /** The whole name table. */
    readonly names: readonly string[];
    /** About how many will follow. */
    readonly records: number;
}
export interface Page {
    readonly frame: "page";
    readonly label: number;
    readonly collection: string;
    readonly records: readonly RecordState[];
}
export interface SnapshotEnd {
    readonly frame: "snapshot end";
    readonly cursor: Cursor;
    /** The greatest version in the pages, or the cursor's seq. */
    readonly newest: number;
    /** The device's committed counter, at newest or later, and its running hash there. */
    readonly counter: number;
    readonly hash: Hash;
}
export interface Ack {
    readonly frame: "ack";
    /** The sum of all delivery messages received on this connection, in bytes. */
    readonly received: number;
    /** Subscriptions whose durable cursor moved. */
    readonly cursors: readonly {
        readonly handle: Handle;
        readonly cursor: Cursor;
    }[];
    /** Rejections that are durably stored. */
    readonly confirmed: readonly {
        readonly handle: Handle;
        readonly counters: readonly number[];
    }[];
}
export interface Window {
    readonly frame: "window";
    readonly bytes: number;
}
/** Sets the sender's ephemeral state in a space; undefined leaves. */
export interface Presence {
    readonly frame: "presence";
    readonly handle: Handle;
    readonly value?: Value | undefined;
}
/** One device's presence; an undefined value means that it left. */
export interface DevicePresence {
    readonly author: Author;
    readonly value?: Value | undefined;
}
export interface Present {
    readonly frame: "present";
    readonly handle: Handle;
    readonly devices: readonly DevicePresence[];
}
export interface Token {
    readonly frame: "token";
    readonly token: string;
}
export interface TokenAccept {
    readonly frame: "token accept";
    readonly expires: Time;
}
export interface ErrorFrame {
    readonly frame: "error";
    readonly code: string;
    readonly message: string;
    /** What it is about; 0 for nothing. */
    readonly handle: Handle;
    readonly counter: number;
}
/** The gateway is about to stop: connect again after a random delay of at most `within` milliseconds. */
export interface GoingAway {
    readonly frame: "going away";
    readonly within: number;
}
export interface Ping {
    readonly frame: "ping";
    readonly nonce: number;
}
export interface Pong {
    readonly frame: "pong";
    readonly nonce: number;
    readonly clock: Time;
}
/** Asks for an overwritten value that was too large for its conflict. */
export interface Fetch {
    readonly frame: "fetch";
    readonly handle: Handle;
    readonly blob: BlobID;
}
export interface Fetched {
    readonly frame: "fetched";
    readonly handle: Handle;
    readonly blob: BlobID;
    /** Undefined if there is no such value (any more). */
    readonly value?: Value | undefined;
}
/** Stands for the delivery frames that `data` holds, compressed with zstd. */
export interface Compressed {
    readonly frame: "compressed";
    /** The id of the dictionary; 0 for none. */
    readonly dictionary: number;
    readonly data: Uint8Array;
}
/** What a client sends. */
export type ClientFrame = Hello | Subscribe | Unsubscribe | Push | Ack | Window | Presence | Token | Ping | Pong | Fetch;
/** What a gateway sends. */
export type ServerFrame = Welcome | Subscribed | Unsubscribed | Verdicts | In | CommitHeader | Section | ConflictNotice | Advance | Snapshot | Page | SnapshotEnd | Present | TokenAccept | ErrorFrame | GoingAway | Ping | Pong | Fetched | Compressed;
export type Frame = ClientFrame | ServerFrame;
