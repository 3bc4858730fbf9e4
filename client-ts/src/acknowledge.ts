import type { Core } from "./core.js";
import type { Ack } from "./protocol/index.js";

/** How long the server waits at most to hear what is durable here, in milliseconds. */
const ackWithin = 1000;

/**
 * Sends an acknowledgement when one is due: at half a window, after ackWithin, or
 * at once for a commit that asks for it. A push carries one anyway.
 */
export function acknowledge(c: Core): void {
  const l = c.link;
  if (l.phase !== "live") return;
  if (!owesAck(c)) {
    l.ackAt = 0;
    return;
  }
  l.ackAt ||= c.now + ackWithin;
  const due =
    c.now >= l.ackAt ||
    l.received - l.acked >= c.config.window / 2 ||
    c.sorted.some((s) => s.ackNow > s.acked.seq && s.durable.seq >= s.ackNow);
  const ack = due && takeAck(c);
  if (ack) c.send(ack);
}

export function acknowledgeWake(c: Core): number {
  return c.link.phase === "live" ? c.link.ackAt : 0;
}

function owesAck(c: Core): boolean {
  return (
    c.link.received > c.link.acked ||
    c.sorted.some((s) => s.subscription === "live" && (s.durable.seq > s.acked.seq || s.confirm.length > 0))
  );
}

/** Returns what there is to tell, undefined if nothing, and takes it for told. */
export function takeAck(c: Core): Ack | undefined {
  if (!owesAck(c)) return undefined;
  const l = c.link;
  l.acked = l.received;
  l.ackAt = 0;
  const cursors: Ack["cursors"][number][] = [];
  const confirmed: Ack["confirmed"][number][] = [];
  for (const s of c.sorted) {
    if (s.subscription !== "live") continue;
    if (s.durable.seq > s.acked.seq) {
      s.acked = s.durable;
      cursors.push({ handle: s.handle, cursor: s.durable });
    }
    if (s.confirm.length > 0) {
      confirmed.push({ handle: s.handle, counters: s.confirm });
      s.confirm = [];
    }
  }
  return { frame: "ack", received: l.received, cursors, confirmed };
}
