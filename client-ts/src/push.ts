import { takeAck } from "./acknowledge.js";
import type { Core, CoreSpace, Flight } from "./core.js";
import { defaultLimits, maxRecent } from "./protocol/index.js";
import type { Push } from "./protocol/index.js";
import { hashAt } from "./queue.js";
import type { Pending } from "./queue.js";

/** More than a push takes beside its bodies, for each of them and at all. */
const pushOverhead = 64;

/**
 * Sends what is durable and fits into the server's window, spaces of greater
 * priority first. The rest waits in the durable queue.
 */
export function push(c: Core): void {
  if (c.link.phase !== "live") return;
  for (const s of [...c.sorted].sort((a, b) => b.priority - a.priority)) while (pushSpace(c, s));
}

/** Sends one push and says whether there may be another. */
function pushSpace(c: Core, s: CoreSpace): boolean {
  const { welcome } = c.link;
  const first = s.queue[0];
  if (!welcome || s.subscription !== "live" || !s.writable || s.rebase || !first) return false;
  const skip = s.pushed + 1 - first.counter;
  if (skip < 0 || skip >= s.queue.length) return false;
  const used = inFlight(c);
  const room = (bytes: number, mutations: number): boolean =>
    (used.mutations === 0 && mutations === 1) || // one larger than the window goes alone
    (s.inFlight.mutations + mutations <= maxRecent && // more than the server could tell the fate of, if its answers got lost
      used.bytes + bytes <= welcome.window && (welcome.windowMutations === 0 || used.mutations + mutations <= welcome.windowMutations));
  const message = (welcome.frameBytes || defaultLimits.frameBytes) / 2;
  const taken: Pending[] = [];
  let bytes = 0;
  for (let i = skip; i < s.queue.length; i++) {
    const p = s.queue[i] as Pending;
    const size = p.body.length;
    const safe = p.durable && p.counter <= s.durableSent;
    const full = taken.length > 0 && bytes + size + pushOverhead * (taken.length + 2) > message;
    if (!safe || full || !room(bytes + size, taken.length + 1)) break;
    taken.push(p);
    bytes += size;
  }
  if (taken.length === 0) return false;
  const frame: Push = {
    frame: "push",
    handle: s.handle,
    first: s.pushed + 1,
    previous: hashAt(s, s.pushed) as string,
    bodies: taken.map((p) => p.body),
  };
  s.pushed += taken.length;
  s.inFlight.bytes += bytes;
  s.inFlight.mutations += taken.length;
  for (const p of taken) {
    p.sent = true;
    p.sentAt = c.now;
    s.view.refreshAll(p, true);
  }
  const ack = takeAck(c);
  if (ack) c.send(ack, frame);
  else c.send(frame);
  c.statusChanged = true;
  return true;
}

/** What the server has not answered on this connection. */
function inFlight(c: Core): Flight {
  const sum: Flight = { bytes: 0, mutations: 0 };
  for (const { inFlight } of [...c.sorted, ...c.link.ending.values()]) {
    sum.bytes += inFlight.bytes;
    sum.mutations += inFlight.mutations;
  }
  return sum;
}

/**
 * Moves the durable mark of what may have been sent ahead of the pushes, by up to
 * two windows, so that sending need not wait for the disk each time.
 */
export function markSent(c: Core, s: CoreSpace): void {
  const { welcome } = c.link;
  if (s.subscription !== "live" || !s.writable || s.rebase || !welcome) return;
  let bytes = 0;
  for (const [i, p] of s.queue.entries()) {
    if (i > 0) {
      bytes += p.body.length;
      if (bytes > 2 * welcome.window || (welcome.windowMutations > 0 && i + 1 > 2 * welcome.windowMutations)) return;
    }
    if (p.counter > s.sent) {
      s.sent = p.counter;
      s.save();
    }
  }
}
