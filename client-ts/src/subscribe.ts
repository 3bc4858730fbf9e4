import type { Core, CoreSpace } from "./core.js";
import { TideError } from "./error.js";
import { nobodyPresent } from "./presence.js";
import { NameTable, compareText, conflictCollection, noCursor, noDevice } from "./protocol/index.js";
import type { Code, ErrorFrame, Handle, Recent, Subscribed, Unsubscribed } from "./protocol/index.js";
import { accept, expel, hashAt, lastJudged, rebaseQueue, renumber, replaceDevice } from "./queue.js";
import { backoff, isUp, jitter, protocolError } from "./reconnect.js";
import { finishStage, newStage } from "./snapshot.js";
import type { SpaceStatus } from "./status.js";
import { dropPending } from "./persist.js";

/**
 * Bounds the wait before a space is asked for again after the server could not
 * serve it, in milliseconds; the first wait is as for connections.
 */
const retryUnavailable = 30_000;

/** Gives a space its device id. */
export function settleIn(s: CoreSpace): void {
  if (s.device === noDevice) {
    s.device = s.core.device;
    s.fresh = s.core.drawn;
    s.save();
  }
}

/** Takes over what the app wants to see. */
export function setFilter(s: CoreSpace, collections: readonly string[]): void {
  settleIn(s);
  // The inbox is part of everything.
  const filter = collections.length > 0 ? [...new Set([...collections, conflictCollection])].sort(compareText) : [];
  if (filter.join(".") === s.filter.join(".")) return;
  const wider = filter.length === 0 || (s.filter.length > 0 && filter.some((name) => !s.filter.includes(name)));
  s.filter = filter;
  if (wider) forgetCursor(s); // what was left out so far can only come from the start
  for (const key of [...s.view.keys()]) {
    if (filter.length > 0 && !filter.includes(key.collection)) {
      s.changedRecords.add(key.collection + "." + key.id);
      s.view.set(key, undefined);
    }
  }
  s.save();
}

/**
 * Makes the server send the space from its beginning. The records stay to be seen
 * until what replaces them has come whole.
 */
function forgetCursor(s: CoreSpace): void {
  s.floor = s.base; // a base never goes back
  s.cursor = s.durable = s.acked = noCursor;
  s.epoch++;
  s.save();
}

/** Asks for a space when it is time. */
export function runSubscription(s: CoreSpace): void {
  const c = s.core;
  if (s.open && !s.opened && s.queue.length + s.leaving.length === 0) {
    // It was synced for its queue's sake, or let go of.
    s.open = false;
    resubscribe(s);
  }
  if (!s.open || s.subscription !== "none" || !isUp(c) || c.now < s.retryAt) return;
  s.subscription = "asked";
  s.handle = ++c.link.handle;
  s.retryAt = 0;
  s.pushed = 0;
  s.inFlight = { bytes: 0, mutations: 0 };
  s.stage = undefined;
  s.acked = s.cursor;
  if (s.cursor.seq === 0) {
    s.names = new NameTable(); // what comes begins with its own
    s.namesChanged = true;
  }
  c.link.handles.set(s.handle, s);
  c.send({
    frame: "subscribe",
    handle: s.handle,
    space: s.name,
    device: s.device,
    cursor: s.cursor,
    counter: lastJudged(s).counter,
    collections: s.filter,
    priority: s.priority,
    presence: s.wantsPresence,
  });
  s.changed();
}

/**
 * The space of a subscription's frame. Undefined for a handle that was given up
 * and for whose end the server has not answered yet.
 */
export function live(c: Core, handle: Handle): CoreSpace | undefined {
  const s = c.link.handles.get(handle);
  if (s) {
    if (s.subscription !== "live") throw protocolError("out-of-order", `a frame for handle ${handle} before it was subscribed`);
    return s;
  }
  if (!c.link.ending.has(handle)) throw neverAsked(handle);
  return undefined;
}

function neverAsked(handle: Handle): Error {
  return protocolError("out-of-order", `a frame for handle ${handle}, which was never asked for`);
}

/** Takes the server's answer: where the device stands there, and how it will be brought to head. */
export function subscribed(c: Core, f: Subscribed): void {
  const s = c.link.handles.get(f.handle);
  if (!s) {
    if (c.link.ending.has(f.handle)) return;
    throw neverAsked(f.handle);
  }
  if (s.subscription !== "asked") throw protocolError("out-of-order", `a second answer for handle ${f.handle}`);
  s.subscription = "live";
  s.error = undefined;
  s.head = f.head.seq;
  s.writable = f.write;
  if (s.schemaVersion !== f.schemaVersion) {
    s.schemaVersion = f.schemaVersion;
    s.save();
  }
  s.changed();
  if (!identify(c, s, f)) return; // it is being asked for again, under another device id
  s.fresh = false;
  s.pushed = lastJudged(s).counter;
  if (f.mode !== "resume") {
    s.stage = newStage();
  } else if (s.cursor.seq === 0 && (s.view.records.size > 0 || s.rebase)) {
    // The log is whole and comes from its beginning, in place of a snapshot.
    s.stage = newStage(true, f.head.seq);
  } else if (s.rebase) {
    rebaseQueue(c, s, undefined);
  }
  finishStage(c, s);
  if (s.presence !== undefined) c.send({ frame: "presence", handle: s.handle, value: s.presence });
}

/**
 * Finds out which mutations of the queue are committed, and whether this store is
 * still the one device that the server knows. Returns false if the device took
 * another id.
 */
function identify(c: Core, s: CoreSpace, f: Subscribed): boolean {
  const same = hashAt(s, f.counter) === f.hash;
  if (f.mode === "other-history" || (f.known && f.counter < lastJudged(s).counter)) {
    // The server has looked, and has lost what it told us it had committed. What it
    // still has of the queue it has; the rest starts over.
    if (f.known && same) accept(c, s, f.counter, f, 0);
    startOver(c, s);
    return false;
  }
  if (f.known && same) {
    accept(c, s, f.counter, f, f.head.seq);
    return true;
  }
  if (f.known) {
    clone(c, s, f);
    return false;
  }
  if (s.leaving.some((p) => p.leaveAt > f.head.seq)) {
    // The log was read to its end to find that it does not know the device, and it
    // does not hold the commits that the device was told of.
    startOver(c, s);
    return false;
  }
  return unknown(c, s, f.horizon);
}

/** Goes on in another history of the space, under a new device id and with the queue that is left. */
function startOver(c: Core, s: CoreSpace): void {
  for (const p of s.leaving.splice(0)) {
    s.view.unpredict(p);
    dropPending(s, p);
  }
  forgetCursor(s);
  replaceDevice(c, s, true);
}

/** The newest counter that the server remembers no more. */
function beforeRecent(f: Subscribed): number {
  return f.counter - Math.min(f.counter, f.recent.length);
}

/** What the server remembers of a mutation; undefined if nothing. */
export function recentAt(f: Subscribed, counter: number): Recent | undefined {
  const first = beforeRecent(f) + 1;
  return counter < first || counter > f.counter ? undefined : f.recent[counter - first];
}

/**
 * Goes on under a new device id because another copy of this store has written
 * under the present one. The running hashes that the server remembers tell where
 * the copies parted: what was committed before is settled, the rest is this copy's
 * own and is sent anew. A queue that begins before these hashes does not tell: the
 * other copy may have had it too, and a third may have carried any part of it over,
 * under an id that only the place of the parting gives. So all of it is kept for the
 * user.
 */
function clone(c: Core, s: CoreSpace, f: Subscribed): void {
  const common = s.queue.reduce((last, p) => (recentAt(f, p.counter)?.hash === p.hash ? p.counter : last), 0);
  // What the other copy did since is not for this one to confirm.
  if (common > 0) accept(c, s, common, { ...f, rejections: f.rejections.filter((v) => v.counter <= common) }, f.head.seq);
  const copied = s.queue.length > 0 && s.queue[0]!.counter <= beforeRecent(f);
  for (const p of [...s.queue]) {
    // The entry may be a second one under the id, after the first was forgotten.
    const forgotten = p.counter <= s.sent && p.mutation.base < f.horizon;
    if (copied || forgotten) expel(c, s, p, "unknown-outcome", "a copy of this device's data may have sent this already");
  }
  replaceDevice(c, s, below(s, f.horizon));
}

/**
 * Continues where the server has no entry for the device: it never had one, or it
 * forgot it because its last commit lies behind the horizon. A mutation whose base
 * is not behind the horizon would have been committed above it and not been
 * forgotten; of others that may have been sent, the outcome cannot be known any
 * more. Nor can it be known of anything that was sent behind mutations with
 * verdicts: a gateway that has not been reached since may remember the device
 * still, and take what is on its way there.
 *
 * A store that stands behind the horizon may be an old copy of one that went on to
 * write, and was forgotten since: so it takes a new device id even if it never
 * wrote under this one, or a counter would stand in the log twice.
 */
function unknown(c: Core, s: CoreSpace, horizon: number): boolean {
  const inFlight = s.queue.some((p) => p.counter <= s.sent && p.mutation.base >= horizon);
  const judged = lastJudged(s).counter > 0;
  let renew = judged || (s.cursor.seq < horizon && !s.fresh && !inFlight);
  for (const p of [...s.queue]) {
    if (p.counter <= s.sent && (p.mutation.base < horizon || judged)) {
      expel(c, s, p, "unknown-outcome", "the device was away for so long that the server cannot tell whether this took effect");
      renew = true;
    }
  }
  const rebase = s.rebase || below(s, horizon);
  if (renew) {
    replaceDevice(c, s, rebase);
    return false;
  }
  if (s.rebase !== rebase) {
    s.rebase = rebase;
    s.save();
  }
  return true;
}

/** Whether the queue has bases that the server could not merge for a device it does not know. */
function below(s: CoreSpace, horizon: number): boolean {
  return s.queue.some((p) => p.mutation.base < horizon);
}

/** Takes the end of a subscription: ours, or the server's decision. */
export function unsubscribed(c: Core, f: Unsubscribed): void {
  if (c.link.ending.delete(f.handle)) return;
  const s = c.link.handles.get(f.handle);
  if (!s) throw neverAsked(f.handle);
  c.link.handles.delete(f.handle);
  endSubscription(s);
  refused(c, s, f.code, f.message);
}

/** Decides what becomes of a space that the server does not serve. */
function refused(c: Core, s: CoreSpace, code: string, message: string): void {
  s.error = new TideError(code as Code, message);
  s.changed();
  switch (code) {
    case "forbidden":
    case "space-name":
    case "subscriptions":
      s.subscription = "parked";
      break;
    case "device-bound":
      // The mutations that may have been sent were sent by the other user. What they
      // became is theirs to know.
      for (const p of [...s.queue]) {
        if (p.counter <= s.sent) expel(c, s, p, "unknown-outcome", "this may have been sent already, under another user's name");
      }
      replaceDevice(c, s, s.rebase);
      break;
    default:
      retry(s, code === "damaged");
  }
}

/** Takes an error about a push, of which nothing was taken. */
export function pushRefused(c: Core, s: CoreSpace, f: ErrorFrame): void {
  s.error = new TideError(f.code as Code, f.message);
  s.changed();
  switch (f.code) {
    case "mutation-too-large": {
      const p = s.queue.find((q) => q.counter === f.counter);
      if (p) {
        expel(c, s, p, "too-large", f.message);
        renumber(s);
      }
      resubscribeLater(s);
      break;
    }
    case "base":
      // The server looked, and its history does not reach what the queue was made on:
      // it is another one. The cursor said nothing because it was already forgotten.
      startOver(c, s);
      break;
    case "presence":
      break;
    default:
      // The next answer says whether the space can be written to at all.
      resubscribeLater(s);
  }
}

/** Gives the handle up and asks anew: the answer says where the device stands. */
export function resubscribe(s: CoreSpace): void {
  const { link } = s.core;
  if (s.subscription === "asked" || s.subscription === "live") {
    s.core.send({ frame: "unsubscribe", handle: s.handle });
    link.ending.set(s.handle, { names: s.names.clone(), inFlight: s.inFlight });
    link.handles.delete(s.handle);
  }
  endSubscription(s);
  s.changed();
}

/** The same for what may happen again at once: from the second time on it waits, longer each time. */
export function resubscribeLater(s: CoreSpace): void {
  resubscribe(s);
  if (s.attempts > 0) retry(s, false);
  else s.attempts++;
}

/** Asks for a space again after a wait. */
function retry(s: CoreSpace, long: boolean): void {
  const c = s.core;
  s.retryAt = c.now + Math.max(jitter(c, Math.max(long ? retryUnavailable : 0, backoff(c, s.attempts))), 1);
  s.attempts++;
}

export function endSubscription(s: CoreSpace): void {
  s.subscription = "none";
  s.inFlight = { bytes: 0, mutations: 0 };
  s.stage = undefined;
  for (const p of s.queue) {
    if (!p.sent) break; // what was pushed stands in front
    p.sent = false;
    p.sentAt = 0;
    s.view.refreshAll(p, true);
  }
  nobodyPresent(s);
}

/** Asks again for the spaces that were refused, and for those that were not to be written to, because another token may allow it. */
export function unpark(c: Core): void {
  for (const s of c.sorted) {
    if (s.subscription === "parked") {
      s.subscription = "none";
      s.retryAt = 0;
    } else if (s.subscription === "live" && !s.writable) {
      resubscribe(s);
    }
  }
}

/** A space's condition. */
export function spaceStatus(s: CoreSpace): SpaceStatus {
  const { subscription } = s;
  return {
    state:
      subscription === "none" ? "offline"
      : subscription === "asked" ? "subscribing"
      : subscription === "parked" ? "parked"
      : !s.stage && s.cursor.seq >= s.head ? "live"
      : "catching-up",
    error: s.error,
    writable: s.writable,
    pending: s.queue.length,
    cursor: s.cursor,
    head: Math.max(s.head, s.cursor.seq),
    schemaVersion: s.schemaVersion,
  };
}
