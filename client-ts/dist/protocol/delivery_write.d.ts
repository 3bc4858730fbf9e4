import type { Frame } from "./frame.js";
import type { NameTable } from "./name_table.js";
/** Frames without a format byte, with the numbers of the names that the table has. */
export declare function encodeDelivery(frames: readonly Frame[], names?: NameTable): Uint8Array;
