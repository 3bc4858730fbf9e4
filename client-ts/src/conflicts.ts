import type { Core, CoreSpace } from "./core.js";
import { dropConflict, saveConflict } from "./persist.js";
import type { BlobID, Conflict, Fetched } from "./protocol/index.js";
import { sameConflict } from "./notice.js";
import { live } from "./subscribe.js";
import { keyText } from "./watch.js";

/** Stores a notice until the user dismisses it. Open conflicts are records of their own and need no notice. */
export function keepConflict(s: CoreSpace, conflict: Conflict): void {
  if (conflict.open || s.conflicts.some((have) => sameConflict(have, conflict))) return;
  saveConflict(s, conflict);
  changed(s, conflict, [...s.conflicts, conflict]);
}

function changed(s: CoreSpace, about: Conflict, list: readonly Conflict[]): void {
  s.conflicts = list;
  s.view.changed(keyText(about)); // its mark
  s.newsOfConflicts = s.core.statusChanged = true;
}

/** Takes a settled conflict off the list; false if it is not there. */
export function dismiss(c: Core, name: string, conflict: Conflict): boolean {
  const s = c.spaces.get(name);
  const have = s?.conflicts.find((other) => sameConflict(other, conflict));
  if (!s || !have) return false;
  dropConflict(s, have);
  changed(s, have, s.conflicts.filter((other) => other !== have));
  return true;
}

/** How many values may be asked for at once on a connection. */
const maxFetches = 16;

/**
 * Asks the server for an overwritten value that was too long for its notice. The
 * event `fetched` brings it, unless the connection ends before. False means that
 * the space is not live now, or that too many are asked for already: try again
 * after a change of the space's status.
 */
export function fetch(c: Core, now: number, name: string, blob: BlobID): boolean {
  c.tick(now);
  const s = c.spaces.get(name);
  if (!s || c.link.phase !== "live" || s.subscription !== "live" || c.link.fetching >= maxFetches) return false;
  c.link.fetching++;
  c.send({ frame: "fetch", handle: s.handle, blob });
  return true;
}

export function fetched(c: Core, f: Fetched): void {
  c.link.fetching = Math.max(c.link.fetching - 1, 0);
  const s = live(c, f.handle);
  if (!s) return;
  s.changed();
  c.event({ kind: "fetched", space: s.name, blob: f.blob, value: f.value });
}
