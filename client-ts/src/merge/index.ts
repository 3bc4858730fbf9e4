// Folding and predicting: what turns what a client receives into state, and what
// it shows of its own edits. Merging is the gateway's.
export * from "./record.js";
export { apply, Fold } from "./fold.js";
export { predict } from "./predict.js";
export type { Kinds } from "./predict.js";
export { between, isPosition } from "./position.js";
export { stateHash } from "./hash.js";
