import type { Core } from "../core.js";
import type { Judged } from "../engine.js";
import type { Mutation } from "../protocol/index.js";
import type { Pending } from "../queue.js";
/** The place in a space's queue of a mutation that was taken; undefined if it has left it. */
export declare function taken(c: Core, space: string, mutation: Mutation): Pending | undefined;
/**
 * What became of a mutation that was judged: it stands in the list of rejections,
 * or it took effect, or the user has discarded it since.
 */
export declare function outcome(c: Core, space: string, mutation: Mutation, pending: Pending | undefined): Judged;
