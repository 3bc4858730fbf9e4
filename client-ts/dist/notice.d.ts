import type { Conflict } from "./protocol/index.js";
/** Whether two notices tell of the same thing: a device is told once a commit and field. */
export declare function sameConflict(a: Conflict, b: Conflict): boolean;
