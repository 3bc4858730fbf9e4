export { LocalEngine } from "./shell.js";
