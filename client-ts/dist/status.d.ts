import type { TideError } from "./error.js";
import type { Cursor } from "./protocol/index.js";
/**
 * How a client stands to its gateway. `offline`: there is no connection; another
 * is tried when its time has come. `connecting`: one is being made or greeted.
 * `live`: the gateway has welcomed the client. `stopped`: the gateway refused it
 * in a way that trying again would not mend, or the client was closed, or its
 * store failed; `lastError` says why. Reading and, unless the store failed,
 * editing go on in all of them.
 */
export type State = "offline" | "connecting" | "live" | "stopped";
/** A client's condition, for an app's status line. */
export interface Status {
    readonly state: State;
    /** Mutations without a verdict, in all spaces; `sent` of these went out on this connection. */
    readonly pending: number;
    readonly sent: number;
    /** How many rejections and settled conflicts wait for the user, in all spaces. */
    readonly rejected: number;
    readonly conflicts: number;
    /** Whether this tab holds the connection and the store; the others follow it. */
    readonly leader: boolean;
    /** Why the last connection ended, a space cannot be synced or the store fails; undefined if all is well. */
    readonly lastError: TideError | undefined;
    /** When a connection is tried next, in milliseconds of the device's clock; undefined unless offline. */
    readonly retryAt: number | undefined;
    /** Who the token says we are; empty before the first connection. */
    readonly user: string;
    /** How long the last mutation took from leaving this device to its verdict, in milliseconds; 0 before the first. */
    readonly lagMs: number;
    /** By how many milliseconds the gateway's clock is ahead of the device's, as far as known. */
    readonly clockMs: number;
    /** The device had a store before, and the browser has taken it away: edits that were not sent are lost. */
    readonly evicted: boolean;
}
/**
 * How a space stands to the gateway. `offline`: there is no subscription.
 * `subscribing`: asked for. `catching-up`: the gateway is sending what was
 * missed. `live`: the cursor has reached the head that the gateway named.
 * `parked`: refused (`error` says why); the queue is kept, and the next connection
 * or token tries again.
 */
export type SpaceState = "offline" | "subscribing" | "catching-up" | "live" | "parked";
/** A space's condition. */
export interface SpaceStatus {
    readonly state: SpaceState;
    /** Why the space is parked or was refused last; undefined if it is in sync. */
    readonly error: TideError | undefined;
    /** False if the token allows reading only. Edits are kept. */
    readonly writable: boolean;
    /** Mutations without a verdict. */
    readonly pending: number;
    /** What the space has confirmed. */
    readonly cursor: Cursor;
    /** The newest commit that the gateway has named; its distance from the cursor is the lag. */
    readonly head: number;
    /** The schema that the gateway merges under; 0 if none or unknown. */
    readonly schemaVersion: number;
}
/** What a client did since it was started. */
export interface Stats {
    /** Connections that were welcomed. */
    connections: number;
    /** WebSocket messages and their payloads; rawIn is bytesIn as if nothing had been compressed. */
    messagesIn: number;
    bytesIn: number;
    rawIn: number;
    messagesOut: number;
    bytesOut: number;
    /** Applied; repeats are commits that were there already, gaps ended the connection. */
    commits: number;
    snapshots: number;
    repeats: number;
    gaps: number;
}
