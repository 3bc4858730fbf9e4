// Every phase of the link, and every state of a subscription, against every input
// and every frame that a gateway may send. A case that is missing does not compile:
// the tables are records over the unions that the core itself switches on.
import { expect, test } from "vitest";
import type { Core, Subscription } from "../../src/core.js";
import { message } from "../../src/cursor.js";
import { TideError } from "../../src/error.js";
import { persisted } from "../../src/persist.js";
import { format } from "../../src/protocol/format.js";
import { encodeDelivery } from "../../src/protocol/delivery_write.js";
import { noBlob, noCursor, noHash } from "../../src/protocol/index.js";
import type { Frame, ServerFrame } from "../../src/protocol/index.js";
import { connectFailed, connected, disconnected, reconnect, tokenRefreshed } from "../../src/reconnect.js";
import type { LinkPhase } from "../../src/reconnect.js";
import { Core as NewCore } from "../../src/core.js";
import { Device, board, create, set, settle } from "./device.js";
import { Model } from "./model.js";

/** How to bring a device into each phase of its link. */
const phases = {
  idle: () => {
    const d = online();
    d.cut();
    d.core = new NewCore({ random: (n) => new Uint8Array(n) });
    return d;
  },
  waiting: () => {
    const d = online();
    d.cut();
    return d;
  },
  dialing: () => {
    const d = online();
    d.cut();
    while (!d.wants) d.wait(100);
    return d;
  },
  hello: () => {
    const d = online();
    d.cut();
    while (!d.connect()) d.wait(100);
    return d;
  },
  live: online,
  stopped: () => {
    const d = online();
    disconnected(d.core, d.now, 4202);
    d.conn?.close();
    d.conn = undefined;
    d.take();
    return d;
  },
} satisfies Record<LinkPhase, () => Device>;

function online(): Device {
  const d = new Device(new Model(), 1);
  d.mutate(create("1", { title: "x" }));
  settle(d);
  return d;
}

type Input = "connected" | "connectFailed" | "disconnected" | "stopped" | "expired" | "reconnect" | "tokenRefreshed" | "tokenFailed" | "garbage" | "newer" | "silence" | "persisted";

const broken = new TideError("unreachable", "broken");

const inputs = {
  connected: (d) => connected(d.core, d.now, ""),
  connectFailed: (d) => connectFailed(d.core, d.now, broken),
  disconnected: (d) => disconnected(d.core, d.now, 0),
  stopped: (d) => disconnected(d.core, d.now, 4201),
  expired: (d) => disconnected(d.core, d.now, 4100),
  reconnect: (d) => reconnect(d.core, d.now),
  tokenRefreshed: (d) => tokenRefreshed(d.core, d.now, "another"),
  tokenFailed: (d) => tokenRefreshed(d.core, d.now, broken),
  garbage: (d) => message(d.core, d.now, Uint8Array.of(format, 0x91)),
  newer: (d) => message(d.core, d.now, Uint8Array.of(0x20, 0x91, 1)),
  silence: (d) => d.core.wake((d.now += 100_000)),
  persisted: (d) => persisted(d.core, d.now, 99),
} satisfies Record<Input, (d: Device) => void>;

/** Where each input leads. A broken connection waits its turn, from 0 ms on: it may be dialing again at once. */
const leads = {
  idle: {
    connected: "idle", connectFailed: "idle", disconnected: "idle", stopped: "idle", expired: "idle", reconnect: "idle",
    tokenRefreshed: "idle", tokenFailed: "idle", garbage: "idle", newer: "idle", silence: "idle", persisted: "idle",
  },
  waiting: {
    connected: "waiting", connectFailed: "waiting", disconnected: "waiting", stopped: "waiting", expired: "waiting", reconnect: "dialing",
    tokenRefreshed: "waiting", tokenFailed: "waiting", garbage: "waiting", newer: "waiting", silence: "dialing", persisted: "waiting",
  },
  dialing: {
    connected: "hello", connectFailed: "again", disconnected: "dialing", stopped: "dialing", expired: "dialing", reconnect: "dialing",
    tokenRefreshed: "dialing", tokenFailed: "dialing", garbage: "dialing", newer: "dialing", silence: "dialing", persisted: "dialing",
  },
  hello: {
    connected: "hello", connectFailed: "hello", disconnected: "again", stopped: "stopped", expired: "again", reconnect: "hello",
    tokenRefreshed: "hello", tokenFailed: "hello", garbage: "again", newer: "stopped", silence: "again", persisted: "hello",
  },
  live: {
    connected: "live", connectFailed: "live", disconnected: "again", stopped: "stopped", expired: "again", reconnect: "live",
    tokenRefreshed: "live", tokenFailed: "live", garbage: "again", newer: "stopped", silence: "again", persisted: "live",
  },
  stopped: {
    connected: "stopped", connectFailed: "stopped", disconnected: "stopped", stopped: "stopped", expired: "stopped", reconnect: "dialing",
    tokenRefreshed: "stopped", tokenFailed: "stopped", garbage: "stopped", newer: "stopped", silence: "stopped", persisted: "stopped",
  },
} satisfies Record<LinkPhase, Record<Input, LinkPhase | "again">>;

for (const [phase, bring] of Object.entries(phases) as [LinkPhase, () => Device][]) {
  test(`the link is ${phase}`, () => {
    for (const [input, give] of Object.entries(inputs) as [Input, (d: Device) => void][]) {
      const d = bring();
      expect(d.core.link.phase, "before").toBe(phase);
      if (phase !== "idle") d.mutate(set("1", "title", "kept"));
      give(d);
      d.core.ready();
      const now = d.core.link.phase;
      const want = leads[phase][input];
      if (want === "again") expect(["waiting", "dialing"], input).toContain(now);
      else expect(now, input).toBe(want);
      if (phase === "idle") continue;
      expect(d.value("1", "title"), `${input}: the edit is shown`).toBe("kept");
      expect(d.pending().length, `${input}: the queue is kept`).toBe(1);
      expect(now === "waiting" || now === "dialing" || now === "stopped" ? d.core.status.pending : 1, input).toBe(1);
    }
  });
}

/** A frame of each kind, for the handle of the device's subscription. */
function frames(handle: number): Record<ServerFrame["frame"], Frame> {
  const cursor = { seq: 2, commit: "0200000000000000" };
  return {
    welcome: {
      frame: "welcome", version: 1, compression: "none", session: "", clock: 0, user: "ada", expires: 0, window: 1000, windowMutations: 10,
      frameBytes: 1000, mutationBytes: 1000, pingEvery: 25000,
    },
    subscribed: {
      frame: "subscribed", handle, mode: "resume", head: noCursor, horizon: 0, known: false, counter: 0, hash: noHash, recent: [],
      rejections: [], write: true, schemaVersion: 0,
    },
    unsubscribed: { frame: "unsubscribed", handle, code: "unavailable", message: "not now" },
    verdicts: { frame: "verdicts", handle, counter: 1, hash: noHash, replay: false, list: [] },
    in: { frame: "in", handle },
    commit: {
      frame: "commit", seq: 2, id: cursor.commit, time: 0, schemaVersion: 0, ackNow: false, firstName: 0, names: [], authors: [], mutations: [],
    },
    section: { frame: "section", label: 0, collection: "cards", deltas: [] },
    conflict: {
      frame: "conflict", seq: 2, collection: "cards", id: "1", field: "title", element: "", policy: "lww", open: false, base: undefined,
      kept: { author: { device: noBlobDevice, user: "" }, time: 0, value: 1, blob: noBlob },
      lost: { author: { device: noBlobDevice, user: "" }, time: 0, value: 2, blob: noBlob },
    },
    advance: { frame: "advance", cursor },
    snapshot: { frame: "snapshot", names: [], records: 0 },
    page: { frame: "page", label: 0, collection: "cards", records: [] },
    "snapshot end": { frame: "snapshot end", cursor, newest: 2, counter: 0, hash: noHash },
    present: { frame: "present", handle, devices: [] },
    "token accept": { frame: "token accept", expires: 0 },
    error: { frame: "error", code: "unavailable", message: "not now", handle, counter: 1 },
    "going away": { frame: "going away", within: 100 },
    ping: { frame: "ping", nonce: 1 },
    pong: { frame: "pong", nonce: 1, clock: 0 },
    fetched: { frame: "fetched", handle, blob: noBlob, value: undefined },
    compressed: { frame: "compressed", dictionary: 0, data: new Uint8Array(4) },
  };
}

const noBlobDevice = "00000000-0000-4000-8000-000000000000";

/** Frames that stand behind an `in`, and behind a commit. */
const delivered: readonly string[] = ["commit", "advance", "snapshot", "page", "snapshot end"];
const within: readonly string[] = ["section", "conflict"];

const subscriptions = {
  none: () => {
    const d = online();
    d.gateway.refuse = "unavailable";
    d.cut();
    while (d.space.subscription !== "none" || d.core.link.phase !== "live") d.step() || d.wait(100);
    return d;
  },
  asked: () => {
    const d = online();
    d.cut();
    while (d.core.link.phase !== "live") d.connect() || d.sendOne() || (d.conn !== undefined && d.receiveOne()) || d.wait(100);
    return d;
  },
  live: online,
  parked: () => {
    const d = online();
    d.gateway.refuse = "forbidden";
    d.cut();
    while (d.space.subscription !== "parked") d.step() || d.wait(100);
    return d;
  },
} satisfies Record<Subscription, () => Device>;

/** What becomes of the connection: it goes on, or the frame was out of place and it is made anew. */
type Fate = "on" | "drop";

const inPlaceAlways = { "going away": "on", ping: "on", pong: "on", "token accept": "on", welcome: "drop", compressed: "drop" } as const;

const fates = {
  none: {
    ...inPlaceAlways, subscribed: "drop", unsubscribed: "drop", verdicts: "drop", in: "drop", commit: "drop", section: "drop", conflict: "drop",
    advance: "drop", snapshot: "drop", page: "drop", "snapshot end": "drop", present: "drop", error: "drop", fetched: "drop",
  },
  asked: {
    ...inPlaceAlways, subscribed: "on", unsubscribed: "on", verdicts: "drop", in: "drop", commit: "drop", section: "drop", conflict: "drop",
    advance: "drop", snapshot: "drop", page: "drop", "snapshot end": "drop", present: "drop", error: "on", fetched: "drop",
  },
  live: {
    ...inPlaceAlways, subscribed: "drop", unsubscribed: "on", verdicts: "on", in: "on", commit: "on", section: "on", conflict: "on",
    advance: "on", snapshot: "drop", page: "drop", "snapshot end": "drop", present: "on", error: "on", fetched: "on",
  },
  parked: {
    ...inPlaceAlways, subscribed: "drop", unsubscribed: "drop", verdicts: "drop", in: "drop", commit: "drop", section: "drop", conflict: "drop",
    advance: "drop", snapshot: "drop", page: "drop", "snapshot end": "drop", present: "drop", error: "drop", fetched: "drop",
  },
} satisfies Record<Subscription, Record<ServerFrame["frame"], Fate>>;

for (const [subscription, bring] of Object.entries(subscriptions) as [Subscription, () => Device][]) {
  test(`the subscription is ${subscription}`, () => {
    for (const kind of Object.keys(fates[subscription]) as ServerFrame["frame"][]) {
      const d = bring();
      expect(d.space.subscription, "before").toBe(subscription);
      expect(d.core.link.phase, "before").toBe("live");
      d.mutate(set("1", "title", "kept"));
      const { handle } = d.space;
      const all = frames(handle);
      const list: Frame[] = [all[kind]];
      if (within.includes(kind)) list.unshift(all.in, all.commit);
      else if (delivered.includes(kind)) list.unshift(all.in);
      message(d.core, d.now, Uint8Array.of(format, ...encodeDelivery(list)));
      const { close } = d.core.ready();
      expect(close ? "drop" : "on", kind).toBe(fates[subscription][kind]);
      if (close) expect(close.code, kind).toMatch(/^(out-of-order|malformed)$/);
      expect(d.value("1", "title"), `${kind}: the edit is shown`).toBe("kept");
      expect(d.pending().length, `${kind}: the queue is kept`).toBe(1);
      // A gateway that replaces the table of names without need has taken away what it
      // says next in numbers: there is nothing that a client could go on with.
      if (kind !== "snapshot") expect(recovers(d), `${kind}: it comes to rest`).toBe(true);
    }
  });
}

/** Whether a device ends where its gateway is, whatever it was told before. */
function recovers(d: Device): boolean {
  d.gateway.refuse = "";
  d.cut();
  reconnect(d.core, d.now);
  d.take();
  settle(d);
  return d.pending().length === 0 && d.hash() === d.gateway.hash() && core(d).space(board).subscription === "live";
}

function core(d: Device): Core {
  return d.core;
}
