import type { Conflict } from "./protocol/index.js";

/** Whether two notices tell of the same thing: a device is told once a commit and field. */
export function sameConflict(a: Conflict, b: Conflict): boolean {
  return a.seq === b.seq && a.collection === b.collection && a.id === b.id && a.field === b.field && a.element === b.element;
}
