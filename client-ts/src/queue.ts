// The durable queue of a space.
import type { Core, CoreSpace } from "./core.js";
import type { Judged, Origin } from "./engine.js";
import { TideError } from "./error.js";
import { sameContent, valueOf } from "./merge/index.js";
import type { Rec } from "./merge/index.js";
import {
  decodeMutation, defaultLimits, encodeMutation, formatUUID, fromHex, maxOps, nextHash, noHash, sameValue, sha256,
} from "./protocol/index.js";
import type { DeviceID, Hash, Mutation, RejectCode, Subscribed, Value, Verdict, Verdicts } from "./protocol/index.js";
import { dropPending, savePending } from "./persist.js";
import { progress, protocolError } from "./reconnect.js";
import { confirmSaved, discard, reject } from "./rejected.js";
import { live, recentAt, resubscribe, resubscribeLater } from "./subscribe.js";
import type { Predicted } from "./view.js";
import { keyText } from "./watch.js";
import { rejectedOps } from "./write.js";

/** A mutation that is predicted in the view. */
export interface Pending extends Predicted {
  /** This run's name for it; 0 if it was made in an earlier one. */
  ref: number;
  device: DeviceID;
  counter: number;
  /** The device's running hash after it. */
  hash: Hash;
  body: Uint8Array;
  /** Grows when the mutation is stored anew; durable says that this generation is on disk, toldLocal that the app knows. */
  generation: number;
  durable: boolean;
  toldLocal: boolean;
  /** Nothing of it took effect: no commit shows it. */
  idle: boolean;
  /** When it was pushed on the present connection. */
  sentAt: number;
}

/**
 * Adds a mutation to a space's queue and predicts it in the view. Its base is set
 * to no more than what the device has seen. Returns the ref by which events name
 * it. `replaces` takes an entry off the list of rejections in the same batch;
 * `origin` names it across tabs, and one that was taken already returns 0. Throws
 * a TideError for what the gateway would call malformed: the user is still there.
 */
export function mutate(c: Core, now: number, name: string, m: Mutation, replaces?: number, origin?: Origin): number {
  c.tick(now);
  const s = c.spaces.get(name);
  if (!s?.open) throw new TideError("invalid", `the space ${JSON.stringify(name)} is not open`);
  const tab = origin && c.tabs.get(origin.tab);
  if (origin && tab && origin.counter <= tab.counter) return 0;
  if (m.ops.length === 0) throw new TideError("invalid", "the mutation has no edits");
  if (m.ops.length > maxOps) throw new TideError("invalid", `the mutation has ${m.ops.length} edits, of at most ${maxOps}`);
  if (replaces !== undefined && !s.rejected.some((e) => e.order === replaces)) throw new TideError("gone", "the rejected mutation is not in the list any more");
  const mutation: Mutation = { ...m, base: Math.max(Math.min(m.base, s.base), s.floor), schemaVersion: c.config.schemaVersion };
  const body = encodeMutation(mutation);
  const limit = c.link.welcome?.mutationBytes || defaultLimits.mutationBytes;
  if (body.length > limit) throw new TideError("invalid", `the mutation takes ${body.length} bytes, of at most ${limit}`);
  decodeMutation(body);
  const p = enqueue(c, s, mutation, body);
  if (replaces !== undefined) discard(c, name, replaces);
  if (origin) {
    c.tabs.set(origin.tab, { counter: origin.counter, at: c.now });
    c.changedTabs.add(origin.tab);
  }
  c.advance();
  return p.ref;
}

/** A pending mutation with nothing known of it but its body. */
export function newPending(body: Uint8Array, mutation: Mutation): Pending {
  return {
    ref: 0, device: "", counter: 0, hash: noHash, body, mutation,
    generation: 0, durable: false, toldLocal: false, judged: false, leaveAt: 0, exact: false, idle: false, sent: false, sentAt: 0,
  };
}

function enqueue(c: Core, s: CoreSpace, mutation: Mutation, body: Uint8Array): Pending {
  const last = lastOf(s);
  const p = newPending(body, mutation);
  p.ref = ++c.refs;
  p.device = s.device;
  p.counter = last.counter + 1;
  p.hash = nextHash(last.hash, body);
  s.floor = Math.max(s.floor, mutation.base);
  s.queue.push(p);
  s.view.predict(p);
  savePending(s, p);
  s.changed();
  return p;
}

/** The newest counter of the device and its running hash. */
function lastOf(s: CoreSpace): { readonly counter: number; readonly hash: Hash } {
  return s.queue.at(-1) ?? lastJudged(s);
}

/** The newest counter that the server has judged, and the running hash there. */
export function lastJudged(s: CoreSpace): { readonly counter: number; readonly hash: Hash } {
  return [...s.leaving].reverse().find((p) => p.device === s.device) ?? s;
}

/** The running hash after a counter; undefined if it is too old or was never given. */
export function hashAt(s: CoreSpace, counter: number): Hash | undefined {
  if (counter === s.counter) return s.hash;
  const judged = s.leaving.find((p) => p.counter === counter && p.device === s.device);
  return (judged ?? s.queue[counter - (s.queue[0]?.counter ?? 0)])?.hash;
}

/** Takes the server's answer to pushes. */
export function verdicts(c: Core, f: Verdicts): void {
  const s = live(c, f.handle);
  if (!s) return;
  if (f.replay) {
    // Which of the pushed mutations are in, and whether as ours, is what a
    // subscription's answer tells.
    resubscribeLater(s);
    return;
  }
  for (const v of f.list) {
    if (v.counter <= lastJudged(s).counter) continue;
    const p = s.queue[0];
    if (!p || v.counter !== p.counter || v.counter > s.pushed) throw protocolError("out-of-order", `a verdict for mutation ${v.counter}, which is not the next`);
    s.inFlight.bytes -= Math.min(s.inFlight.bytes, p.body.length);
    s.inFlight.mutations -= Math.min(s.inFlight.mutations, 1);
    if (p.sentAt) c.lagMs = c.now - p.sentAt;
    judge(c, s, v, v.seq, true);
    s.attempts = 0;
  }
  leave(s);
  progress(c);
}

/** Moves the oldest mutation of the queue on with its verdict. */
function judge(c: Core, s: CoreSpace, v: Verdict, leaveAt: number, exact: boolean): void {
  const p = s.queue.shift() as Pending;
  p.judged = true;
  p.leaveAt = leaveAt;
  p.exact = exact;
  p.idle = v.outcome === "rejected" && rejectedOps(p.mutation, v).length === p.mutation.ops.length;
  s.leaving.push(p);
  settled(c, s, p, v, v.outcome === "rejected" ? reject(c, s, p, v, true) : undefined);
  s.save();
  s.changed();
  // A record may already be newer than the cursor: see view.ts.
  s.view.refreshAll(p, !(exact && s.cursor.seq < p.leaveAt));
}

function settled(c: Core, s: CoreSpace, p: Pending, verdict: Verdict, entry: number | undefined): void {
  const judged: Judged = entry === undefined ? { verdict } : { verdict, entry };
  c.event({ kind: "settled", space: s.name, ref: p.ref, ...judged });
}

/**
 * Takes the server's word that the device's mutations up to counter are committed
 * at or before head. Those whose verdict got lost are settled with what is known.
 * More than the server remembers are never sent without an answer: what is older
 * was sent by a copy, which may have confirmed that it was rejected.
 */
export function accept(c: Core, s: CoreSpace, counter: number, f: Subscribed, head: number): void {
  for (const p of s.leaving) {
    if (p.device === s.device && p.counter <= counter && p.leaveAt > head) {
      // Told in a log that was put back since: in this one it stands earlier.
      p.leaveAt = head;
      p.exact = false;
      savePending(s, p);
    }
  }
  const rejected = new Map(f.rejections.map((v) => [v.counter, v]));
  for (let p = s.queue[0]; p && p.counter <= counter; p = s.queue[0]) {
    const v = rejected.get(p.counter);
    if (v) {
      rejected.delete(p.counter);
      judge(c, s, v, v.seq, true);
      continue;
    }
    const recent = recentAt(f, p.counter);
    const why =
      !recent ? "a copy of this device's data has sent this, and was told what became of it"
      : recent.rejected ? "all or some of this was rejected; why was told to another copy of this device's data"
      : "";
    judge(c, s, verdictOf(p.counter, why && "unknown-outcome", why), head, false);
  }
  // The payload of the others was kept (and perhaps discarded by the user) before:
  // only the confirmation got lost.
  for (const v of f.rejections) if (rejected.has(v.counter)) confirmSaved(s, v.counter);
  leave(s);
}

/** A verdict that the client gives itself. */
function verdictOf(counter: number, code: RejectCode | "" = "", message = ""): Verdict {
  return { counter, seq: 0, outcome: code ? "rejected" : "applied", code, message, field: "", ops: [] };
}

/** Lets the mutations go that the cursor has reached, in the same batch as the cursor (promise 8). */
export function leave(s: CoreSpace): void {
  for (let p = s.leaving[0]; p && p.leaveAt <= s.cursor.seq; p = s.leaving[0]) {
    s.leaving.shift();
    if (p.device === s.device) {
      s.counter = p.counter;
      s.hash = p.hash;
    }
    s.view.unpredict(p);
    dropPending(s, p);
    s.changed();
  }
}

/** Goes on under a new device id, with the queue renumbered from 1. Mutations that are leaving keep their old names. */
export function replaceDevice(c: Core, s: CoreSpace, rebase: boolean): void {
  // With its leaveAt: no subscription will tell it again.
  for (const p of s.leaving) if (p.device === s.device) savePending(s, p);
  for (const p of s.queue) dropPending(s, p);
  s.device = successor(c, s);
  s.fresh = true;
  s.counter = s.sent = s.floor = 0;
  s.hash = noHash;
  s.confirm = []; // they name mutations of the old id
  s.confirmLater = [];
  s.rebase = rebase;
  renumber(s);
  resubscribe(s);
  s.changed();
}

const deviceLabel = new TextEncoder().encode("tidegate device");

/**
 * The device id that follows the present one. It is derived from what it goes on
 * with: two copies of a store that part from a third with the same queue go on
 * under the same id with the same running hashes, so that what both of them send
 * is still one mutation, until they in turn part.
 */
function successor(c: Core, s: CoreSpace): DeviceID {
  const first = s.queue[0];
  if (!first) return c.newDevice();
  const id = sha256(deviceLabel, fromHex(s.device), fromHex(first.hash));
  id[6] = ((id[6] as number) & 0x0f) | 0x80; // UUID version 8: made of what its maker likes
  id[8] = ((id[8] as number) & 0x3f) | 0x80;
  return formatUUID(id);
}

/** Gives the queue contiguous counters and hashes, and stores it anew. */
export function renumber(s: CoreSpace): void {
  let { counter, hash } = lastJudged(s);
  s.floor = 0;
  for (const p of s.queue) dropPending(s, p);
  for (const p of s.queue) {
    hash = nextHash(hash, p.body);
    p.device = s.device;
    p.counter = ++counter;
    p.hash = hash;
    s.floor = Math.max(s.floor, p.mutation.base);
    savePending(s, p);
  }
  s.save();
}

/** Takes a mutation that was certainly not committed out of the queue and keeps it for the user. */
export function expel(c: Core, s: CoreSpace, p: Pending, code: RejectCode, message: string): void {
  s.queue = s.queue.filter((q) => q !== p);
  dropPending(s, p);
  s.view.unpredict(p);
  const v = verdictOf(p.counter, code, message);
  settled(c, s, p, v, reject(c, s, p, v, false));
  s.changed();
}

/**
 * Gives the queue a base in the state that is confirmed now. An edit that would
 * overwrite something its author has not seen is kept for the user instead: the
 * server could not tell any more. `old` is the confirmed state in which the edits
 * were made, undefined if that was the present one.
 */
export function rebaseQueue(c: Core, s: CoreSpace, old: ReadonlyMap<string, Rec> | undefined): void {
  s.rebase = false;
  for (const p of [...s.queue]) {
    if (overwrites(s, p.mutation, old)) expel(c, s, p, "stale", "others have changed this while the device was away for too long");
  }
  for (const p of s.queue) {
    p.mutation = { ...p.mutation, base: s.cursor.seq };
    p.body = encodeMutation(p.mutation);
  }
  renumber(s);
  s.floor = s.cursor.seq;
}

/** Whether a mutation replaces something that changed after its base. Ops that add to what is there never do. */
function overwrites(s: CoreSpace, m: Mutation, old: ReadonlyMap<string, Rec> | undefined): boolean {
  return m.ops.some((op) => {
    const before = old?.get(keyText(op));
    const now = s.view.confirmed(op);
    if ((now?.version ?? 0) <= m.base && !old) return false;
    const differs = (field: string) => !old || !same(valueOf(before, field), valueOf(now, field));
    switch (op.kind) {
      case "set":
        return op.fields.some((f) => differs(f.field));
      case "unset":
      case "list-set":
        return differs(op.field);
      case "delete":
        return !old || ((before?.version ?? 0) !== (now?.version ?? 0) && !sameContent(before, now));
    }
    return false;
  });
}

function same(a: Value | undefined, b: Value | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameValue(a, b);
}

/** Says once that a mutation is durable on disk. */
export function tellLocal(c: Core, p: Pending): void {
  if (!p.toldLocal) {
    p.toldLocal = true;
    c.event({ kind: "local", ref: p.ref });
  }
}
