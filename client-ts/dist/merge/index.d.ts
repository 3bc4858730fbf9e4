export * from "./record.js";
export { apply, Fold } from "./fold.js";
export { predict } from "./predict.js";
export type { Kinds } from "./predict.js";
export { between, isPosition } from "./position.js";
export { stateHash } from "./hash.js";
