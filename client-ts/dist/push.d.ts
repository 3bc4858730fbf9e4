import type { Core, CoreSpace } from "./core.js";
/**
 * Sends what is durable and fits into the server's window, spaces of greater
 * priority first. The rest waits in the durable queue.
 */
export declare function push(c: Core): void;
/**
 * Moves the durable mark of what may have been sent ahead of the pushes, by up to
 * two windows, so that sending need not wait for the disk each time.
 */
export declare function markSent(c: Core, s: CoreSpace): void;
