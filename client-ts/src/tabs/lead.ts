// What a page does not need to show and to edit: one chunk, which the tab that
// leads loads beside it.
export { stateHash } from "../merge/hash.js";
export { LocalEngine } from "../shell.js";
export { Leader } from "./leader.js";
export { handOver, openAll } from "./succeed.js";
