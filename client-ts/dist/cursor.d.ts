import type { Core, CoreSpace } from "./core.js";
/** Takes a message from the connection. Its commits are applied whole, in one batch with the cursor that they move. */
export declare function message(c: Core, now: number, data: Uint8Array): void;
/** Does what a new cursor brings with it, in the same batch. */
export declare function moved(c: Core, s: CoreSpace): void;
