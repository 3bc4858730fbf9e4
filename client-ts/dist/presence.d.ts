import type { Core, CoreSpace } from "./core.js";
import type { Present, Value } from "./protocol/index.js";
/**
 * Says what the others in a space shall see of this device; undefined leaves. It
 * is sent when the space is live, and again after each reconnect.
 */
export declare function setPresence(c: Core, now: number, name: string, value: Value | undefined): void;
export declare function presentChanged(c: Core, f: Present): void;
/** Forgets who was there: without a subscription it is not known. */
export declare function nobodyPresent(s: CoreSpace): void;
