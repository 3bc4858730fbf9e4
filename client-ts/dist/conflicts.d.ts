import type { Core, CoreSpace } from "./core.js";
import type { BlobID, Conflict, Fetched } from "./protocol/index.js";
/** Stores a notice until the user dismisses it. Open conflicts are records of their own and need no notice. */
export declare function keepConflict(s: CoreSpace, conflict: Conflict): void;
/** Takes a settled conflict off the list; false if it is not there. */
export declare function dismiss(c: Core, name: string, conflict: Conflict): boolean;
/**
 * Asks the server for an overwritten value that was too long for its notice. The
 * event `fetched` brings it, unless the connection ends before. False means that
 * the space is not live now, or that too many are asked for already: try again
 * after a change of the space's status.
 */
export declare function fetch(c: Core, now: number, name: string, blob: BlobID): boolean;
export declare function fetched(c: Core, f: Fetched): void;
