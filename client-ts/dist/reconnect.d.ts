import type { Core, CoreSpace, Flight } from "./core.js";
import { TideError } from "./error.js";
import { ProtocolError } from "./protocol/index.js";
import type { Code, Frame, Handle, NameTable, Welcome } from "./protocol/index.js";
/**
 * Where the connection is in its life: `idle` before start; `waiting` until
 * retryAt; `dialing` once Ready.connect was given; `hello` once connected; `live`
 * once welcomed; `stopped` once the server said that trying again would not help.
 */
export type LinkPhase = "idle" | "waiting" | "dialing" | "hello" | "live" | "stopped";
/** Bounds of the wait before a connection is tried again, in milliseconds: between 0 and a limit that starts at min and doubles up to max. */
export interface Backoff {
    readonly min: number;
    readonly max: number;
}
/** The connection and what it remembers. */
export interface Link {
    phase: LinkPhase;
    retryAt: number;
    attempts: number;
    /** The next connection needs another token. */
    fresh: boolean;
    /** The server asked to stay away: until when, chosen at random; 0 if it did not. */
    awayUntil: number;
    error: TideError | undefined;
    /** The last one. */
    welcome: Welcome | undefined;
    /** By how many milliseconds the server's clock is ahead. */
    clock: number;
    /** The last one given. */
    handle: Handle;
    handles: Map<Handle, CoreSpace>;
    /** Handles that were given up and not answered yet: deliveries under them are still to be decoded, and what was pushed still counts. */
    ending: Map<Handle, {
        readonly names: NameTable;
        readonly inFlight: Flight;
    }>;
    /** When it was made; when the last message came; whether it was pinged since. */
    since: number;
    heard: number;
    pinged: boolean;
    nonce: number;
    /** When to ask for a fresh token; 0 for never. */
    refreshAt: number;
    /** Something useful came over it. */
    proven: boolean;
    /** Values asked for. */
    fetching: number;
    /** Bytes of delivery messages; what the server was told of; when an acknowledgement is due, 0 if there is nothing to tell. */
    received: number;
    acked: number;
    ackAt: number;
}
export declare function newLink(): Link;
export declare function protocolError(code: Code, message: string): ProtocolError;
export declare function outOfPlace(f: Frame): ProtocolError;
/** Whether frames can be sent. */
export declare function isUp(c: Core): boolean;
/** Does what the connection's timers ask for. */
export declare function runLink(c: Core): void;
export declare function linkWake(c: Core): number;
/** The connection that Ready.connect asked for is up. Token is what to show; empty for none. */
export declare function connected(c: Core, now: number, token: string): void;
/** There is no token or no connection to be had now. */
export declare function connectFailed(c: Core, now: number, error: TideError): void;
/** The connection has ended: with the code that the server closed it with, 0 if it just broke. */
export declare function disconnected(c: Core, now: number, code: number, error?: TideError): void;
/**
 * Tries at once, also if the client was stopped by the server: the app knows that
 * something changed (the network is back, the user has logged in).
 */
export declare function reconnect(c: Core, now: number): void;
/** Answers Ready.refreshToken. An error is tried again. */
export declare function tokenRefreshed(c: Core, now: number, token: string | TideError): void;
/** Closes the connection because of what came, or did not come, over it. */
export declare function dropLink(c: Core, error: unknown): void;
/** The limit of the wait after a number of vain attempts. */
export declare function backoff(c: Core, attempts: number): number;
/** A random wait of at most limit, in milliseconds. */
export declare function jitter(c: Core, limit: number): number;
/**
 * Notes that the connection is good for something: the next wait is short again. A
 * welcome alone is not enough, else a gateway that fails right behind it would be
 * asked without end.
 */
export declare function progress(c: Core): void;
/** Takes the frames that are not deliveries. */
export declare function control(c: Core, f: Frame): void;
