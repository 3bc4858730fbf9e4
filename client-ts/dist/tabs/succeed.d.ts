import type { TideError } from "../error.js";
import type { LocalEngine } from "../shell.js";
import type { Left, RemoteEngine } from "./remote.js";
/**
 * Opens in a tab's own engine what its app needs; while the store is being loaded
 * that may become more. Returns the names of the spaces, and why it failed if it
 * did.
 */
export declare function openAll(engine: LocalEngine, remote: RemoteEngine): Promise<{
    readonly opened: Set<string>;
    readonly failed?: TideError;
}>;
/** Gives the engine, in which the spaces are open, everything that waited for a leader. */
export declare function handOver({ mine, asked, opened }: Left, engine: LocalEngine, tab: string): void;
