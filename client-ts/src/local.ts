// The engine by itself: for apps of one tab that want it in their own bundle, and
// for tools. createClient loads it beside the page.
export { LocalEngine } from "./shell.js";
