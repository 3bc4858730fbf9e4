import type { Layout } from "./control.js";
export declare const delivery: readonly Layout[];
/**
 * What a change of each kind has behind the field's name and the kind: an element,
 * a position, a value. Put and unset have no kind: they are [name, value] and
 * [name].
 */
export declare const fieldChangeShapes: string[];
