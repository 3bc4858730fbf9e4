// Rejected mutations, which wait for the user.
import type { Core, CoreSpace } from "./core.js";
import { sameBytes } from "./layout.js";
import { dropRejected, saveRejected } from "./persist.js";
import type { DeviceID, Mutation, Verdict } from "./protocol/index.js";
import type { Pending } from "./queue.js";

/** A rejected mutation that waits for the user. */
export interface RejectedEntry {
  /** Grows with each entry: its name, and the list's order. */
  readonly order: number;
  /** The mutation's name when it was rejected; not unique: what the client itself rejects gives its counter to the next. */
  readonly device: DeviceID;
  readonly counter: number;
  readonly verdict: Verdict;
  readonly body: Uint8Array;
  /** What the body holds. */
  readonly mutation: Mutation;
}

/**
 * Keeps the payload of a rejected mutation and returns its entry's name. The
 * server forgets it only once it is confirmed, which happens when the entry is
 * durable; it does not know of what the client itself rejects.
 */
export function reject(c: Core, s: CoreSpace, p: Pending, verdict: Verdict, confirm: boolean): number {
  if (confirm) confirmSaved(s, p.counter);
  const { device, counter, body, mutation } = p;
  // It may be kept already: a crash came between the entry and the cursor.
  const kept = s.rejected.find((e) => e.device === device && e.counter === counter && sameBytes(e.body, body));
  if (kept) return kept.order;
  // The time, so that a number does not come again when the list was empty.
  const order = Math.max(c.now, 1, (s.rejected.at(-1)?.order ?? 0) + 1);
  const entry: RejectedEntry = { order, device, counter, verdict, body, mutation };
  s.rejected = [...s.rejected, entry];
  saveRejected(s, entry);
  s.newsOfRejected = c.statusChanged = true;
  return order;
}

/** Tells the server, once everything up to now is durable, that it may forget a rejection. */
export function confirmSaved(s: CoreSpace, counter: number): void {
  s.confirmLater.push(counter);
  s.save();
}

/** Takes a rejected mutation off the list; false if it is not there. */
export function discard(c: Core, name: string, order: number): boolean {
  const s = c.spaces.get(name);
  const entry = s?.rejected.find((e) => e.order === order);
  if (!s || !entry) return false;
  s.rejected = s.rejected.filter((e) => e !== entry);
  dropRejected(s, entry);
  s.newsOfRejected = c.statusChanged = true;
  return true;
}
