/**
 * What went wrong, in a word that programs can compare. The first group ends the
 * connection; the others are about one subscription or push, and it goes on.
 * Codes that this version does not know may arrive: they are strings.
 */
export type Code = "malformed" | "too-large" | "upgrade" | "out-of-order" | "origin" | "token" | "expired" | "hello-late" | "rate" | "silent" | "going-away" | "internal" | "slow" | "forbidden" | "space-name" | "subscriptions" | "unavailable" | "damaged" | "device-bound" | "unknown-outcome" | "base" | "schema-old" | "presence" | "mutation-too-large";
/** The rule of the value domain that a value breaks. */
export type Refusal = "truncated" | "trailing" | "invalid" | "extension" | "depth" | "infinite" | "not-a-number" | "range" | "tiny" | "utf-8" | "key" | "duplicate-key" | "type";
/** What a client does after its connection was closed. */
export type CloseAction = "reconnect" | "refresh the token" | "stop";
/** What a peer did wrong, or a value or a name that cannot be sent. */
export declare class ProtocolError extends Error {
    readonly name = "ProtocolError";
    readonly code: Code;
    /** The path of what the message is about, if it is about a part. */
    readonly field: string;
    /** Set if a value outside the domain was met. */
    readonly refusal: Refusal | undefined;
    constructor(code: Code, message: string, field?: string, refusal?: Refusal);
}
/** The WebSocket close code with which an error code ends a connection; undefined if it does not. */
export declare function closeCode(code: string): number | undefined;
/** The error code that a close code stands for; undefined outside Tidegate's. */
export declare function codeOfClose(close: number): Code | undefined;
/** What to do after this close code. Codes outside Tidegate's ranges mean that the connection broke. */
export declare function closeAction(close: number): CloseAction;
