import type { Core } from "./core.js";
import type { Ack } from "./protocol/index.js";
/**
 * Sends an acknowledgement when one is due: at half a window, after ackWithin, or
 * at once for a commit that asks for it. A push carries one anyway.
 */
export declare function acknowledge(c: Core): void;
export declare function acknowledgeWake(c: Core): number;
/** Returns what there is to tell, undefined if nothing, and takes it for told. */
export declare function takeAck(c: Core): Ack | undefined;
