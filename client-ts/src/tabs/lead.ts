// What only the tab that leads needs: one chunk, which loads beside the page.
export { LocalEngine } from "../shell.js";
export { Leader } from "./leader.js";
