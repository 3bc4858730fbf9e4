import type { Code } from "./protocol/index.js";
import type { StoreErrorCode } from "./store/store.js";
/**
 * What went wrong, in a word that programs can compare. All but `invalid` and
 * `gone` keep the queue as it is.
 *
 * | code | what happened | what the client does |
 * |---|---|---|
 * | `url` | the gateway's URL is not one | works offline, stopped |
 * | `unreachable` | no connection, or it broke | tries again with backoff |
 * | `no-token` | the token provider failed | tries again with backoff |
 * | `store-…` | the store failed; see {@link StoreErrorCode} | see there |
 * | `store-failed` | the store failed in a way of its own | stopped |
 * | `closed` | the client was closed | – |
 * | `invalid` | an edit cannot be; `field` names the field | nothing of it was kept |
 * | `gone` | an entry of a list was dealt with meanwhile | – |
 * | `tab-version` | the tab that leads runs other code than this one | edits wait here until that tab is reloaded or closed |
 * | `unsynced` | signing out would lose edits | nothing |
 * | any other | the gateway's word: see SPEC.md, section 13 | as it says there |
 */
export type TideErrorCode = Code | `store-${StoreErrorCode | "failed"}` | "url" | "unreachable" | "no-token" | "closed" | "invalid" | "gone" | "unsynced" | "tab-version";
/** An error with a code. The message says what was wrong, where, and what is allowed. */
export declare class TideError extends Error {
    readonly code: TideErrorCode;
    readonly name: string;
    /** The path of the field it is about, if it is about one. */
    readonly field: string | undefined;
    constructor(code: TideErrorCode, message: string, options?: {
        readonly field?: string | undefined;
        readonly cause?: unknown;
    });
}
/** Returns an error that has a code, with the given one if it has none. */
export declare function tideError(error: unknown, code: TideErrorCode): TideError;
