export { stateHash } from "../merge/hash.js";
export { LocalEngine } from "../shell.js";
export { Leader } from "./leader.js";
export { handOver, openAll } from "./succeed.js";
