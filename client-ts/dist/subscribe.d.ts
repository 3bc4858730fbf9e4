import type { Core, CoreSpace } from "./core.js";
import type { ErrorFrame, Handle, Recent, Subscribed, Unsubscribed } from "./protocol/index.js";
import type { SpaceStatus } from "./status.js";
/** Gives a space its device id. */
export declare function settleIn(s: CoreSpace): void;
/** Takes over what the app wants to see. */
export declare function setFilter(s: CoreSpace, collections: readonly string[]): void;
/** Asks for a space when it is time. */
export declare function runSubscription(s: CoreSpace): void;
/**
 * The space of a subscription's frame. Undefined for a handle that was given up
 * and for whose end the server has not answered yet.
 */
export declare function live(c: Core, handle: Handle): CoreSpace | undefined;
/** Takes the server's answer: where the device stands there, and how it will be brought to head. */
export declare function subscribed(c: Core, f: Subscribed): void;
/** What the server remembers of a mutation; undefined if nothing. */
export declare function recentAt(f: Subscribed, counter: number): Recent | undefined;
/** Takes the end of a subscription: ours, or the server's decision. */
export declare function unsubscribed(c: Core, f: Unsubscribed): void;
/** Takes an error about a push, of which nothing was taken. */
export declare function pushRefused(c: Core, s: CoreSpace, f: ErrorFrame): void;
/** Gives the handle up and asks anew: the answer says where the device stands. */
export declare function resubscribe(s: CoreSpace): void;
/** The same for what may happen again at once: from the second time on it waits, longer each time. */
export declare function resubscribeLater(s: CoreSpace): void;
export declare function endSubscription(s: CoreSpace): void;
/** Asks again for the spaces that were refused, and for those that were not to be written to, because another token may allow it. */
export declare function unpark(c: Core): void;
/** A space's condition. */
export declare function spaceStatus(s: CoreSpace): SpaceStatus;
