import type { Core, CoreSpace } from "./core.js";
import { sameValue } from "./protocol/index.js";
import type { Present, Value } from "./protocol/index.js";
import { live } from "./subscribe.js";

/**
 * Says what the others in a space shall see of this device; undefined leaves. It
 * is sent when the space is live, and again after each reconnect.
 */
export function setPresence(c: Core, now: number, name: string, value: Value | undefined): void {
  c.tick(now);
  const s = c.spaces.get(name);
  if (!s || (s.presence !== undefined && value !== undefined ? sameValue(s.presence, value) : s.presence === value)) return;
  s.presence = value;
  if (s.subscription === "live") c.send({ frame: "presence", handle: s.handle, value });
}

export function presentChanged(c: Core, f: Present): void {
  const s = live(c, f.handle);
  if (!s) return;
  for (const p of f.devices) {
    if (p.value === undefined) s.there.delete(p.author.device);
    else s.there.set(p.author.device, p);
  }
  if (f.devices.length > 0) changed(s);
}

/** Forgets who was there: without a subscription it is not known. */
export function nobodyPresent(s: CoreSpace): void {
  if (s.there.size > 0) {
    s.there.clear();
    changed(s);
  }
}

function changed(s: CoreSpace): void {
  s.present = [...s.there.values()].sort((a, b) => (a.author.device < b.author.device ? -1 : 1));
  s.newsOfPresence = true;
}
