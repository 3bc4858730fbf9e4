import type { Judged, SpaceData, SpaceOptions } from "../engine.js";
import { TideError } from "../error.js";
import type { TideErrorCode } from "../error.js";
import type { Mutation, RecordState } from "../protocol/index.js";
import type { Key } from "../watch.js";
import type { Status } from "../status.js";
import type { Predicted } from "../view.js";
/** Grows with each change of what is said below. Tabs of other versions do not talk; they wait for one another's end. */
export declare const tabsVersion = 1;
/** A mutation of a following tab, named by a counter over all its spaces. */
export interface Sent {
    readonly space: string;
    readonly counter: number;
    readonly mutation: Mutation;
    readonly replaces: number | undefined;
}
/** Something that a follower asks of the leader's engine, and is answered. */
export interface Call {
    readonly id: number;
    readonly method: "open" | "release" | "discard" | "dismiss" | "setPresence" | "fetch" | "reconnect" | "export" | "forget";
    readonly args: readonly unknown[];
}
/** A pending mutation as the leader's view has it. */
export interface PendingState extends Omit<Predicted, "effects"> {
    readonly id: number;
    /** Who made it, if a tab did that follows: its tab and counter. */
    readonly origin: string | undefined;
}
/** What changed in a space; or, for one that joins, all of it. */
export interface SpaceNews extends Pick<SpaceData, "device" | "base">, Partial<Pick<SpaceData, "rejected" | "conflicts" | "present" | "status">> {
    readonly space: string;
    /** Grows by one with each; one that is missing makes a follower join anew. */
    readonly n: number;
    /** Whether this is all of it. */
    readonly whole: boolean;
    readonly records: readonly (readonly [Key, RecordState | undefined])[];
    /** New ones in the order of the view, and those of which something changed. */
    readonly pending: readonly PendingState[];
    /** Those that are not pending any more. */
    readonly gone: readonly number[];
}
/** From a follower. */
export type Request = 
/** Who leads? The answer has the same number. */
{
    readonly kind: "who";
    readonly n: number;
}
/** Begins to follow, with everything that an earlier leader may or may not have done: mutations in order, and calls. */
 | {
    readonly kind: "join";
    readonly spaces: readonly (readonly [string, SpaceOptions])[];
    readonly sent: readonly Sent[];
    readonly calls: readonly Call[];
} | {
    readonly kind: "mutate";
    readonly sent: Sent;
} | {
    readonly kind: "call";
    readonly call: Call;
};
/** From the leader. */
export type Answer = 
/** The sender leads: said to all (n is 0) when it begins, and in answer. */
{
    readonly kind: "leader";
    readonly n: number;
} | {
    readonly kind: "news";
    readonly news: SpaceNews;
} | {
    readonly kind: "status";
    readonly status: Status;
} | {
    readonly kind: "local";
    readonly counter: number;
}
/** What became of a mutation; or why the leader could not take it. */
 | {
    readonly kind: "judged";
    readonly counter: number;
    readonly judged?: Judged;
    readonly error?: PackedError;
} | {
    readonly kind: "answer";
    readonly id: number;
    readonly value?: unknown;
    readonly error?: PackedError;
}
/** The user has signed out in one of the tabs: the store is empty and everybody ends. */
 | {
    readonly kind: "closed";
};
/** Of all versions: the parts that must never change. */
export interface Envelope {
    readonly tidegate: number;
    readonly from: string;
    /** Absent: to all. */
    readonly to?: string;
}
export type Message = Envelope & (Request | Answer);
/** What a port posts to; a BroadcastChannel is one. */
export interface ChannelLike {
    postMessage(message: unknown): void;
    onmessage: ((event: {
        readonly data: unknown;
    }) => unknown) | null;
    close(): void;
}
/** One tab's end of the channel. */
export interface Port {
    readonly tab: string;
    post(message: Request | Answer, to?: string): void;
    close(): void;
}
/** Listens to the channel. `hear` is called with messages for this tab, `stranger` with the version of other code. */
export declare function port(channel: ChannelLike, tab: string, hear: (message: Message) => void, stranger: (version: number) => void): Port;
/** A TideError as plain data: errors lose their class on the way. */
export interface PackedError {
    readonly code: TideErrorCode;
    readonly message: string;
    readonly field: string | undefined;
}
export declare function unpackError({ code, message, field }: PackedError): TideError;
/** A status that came as plain data. */
export declare function unpackStatus<T extends object>(status: T): T;
/** A copy of a status with another error. */
export declare function mapErrors<T extends object>(status: T, map: (error: unknown) => unknown): T;
