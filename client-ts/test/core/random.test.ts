import { expect, test } from "vitest";
import type { Op, Value } from "../../src/protocol/index.js";
import { decodeMutation } from "../../src/protocol/index.js";
import { rejectedOps } from "../../src/write.js";
import { Device, add, create, set, settle, tag } from "./device.js";
import type { Disk } from "./device.js";
import { Model } from "./model.js";
import { Random } from "./random.js";

/** An edit whose maker was promised something. */
interface Made {
  device: Device | undefined;
  readonly ref: number;
  readonly tag: string;
  /** It was durable on its device. */
  local: boolean;
  /** It votes. */
  readonly counts: boolean;
}

/**
 * A random history of a few devices against one gateway: edits, single messages
 * and disk writes in any order, lost deliveries, broken connections, crashes that
 * lose what was not written, copied stores, trimming, another history. Afterwards
 * everything heals. Returns what was wrong.
 *
 * Every edit adds one vote and a tag of its own: a doubled edit makes more votes
 * than tags, a lost one fewer tags than were promised.
 */
function chaos(seed: number, steps = 400): string[] {
  const wrong: string[] = [];
  const random = new Random(seed);
  const g = new Model();
  g.window = 400 + random.int(2000);
  g.mutations = 1 + random.int(8);
  g.ackNow = random.int(2) === 0;
  const devices: Device[] = [];
  const addDevice = (from?: Device) => {
    const n = devices.length + 1;
    devices.push(new Device(g, seed * 16 + n, from ? { disk: from.disk as Disk, now: from.now } : {}));
  };
  addDevice();
  addDevice();
  const [first] = devices;
  first!.mutate(create("all", { votes: 0, title: "-" }));
  settle(...devices);

  const made: Made[] = [];
  /** A crash ends the life in which the refs mean something. */
  const forget = (d: Device) => {
    for (const m of made) {
      if (m.device !== d) continue;
      m.local ||= d.local.has(m.ref);
      m.device = undefined;
    }
  };
  const trims = random.int(3) === 0;
  const copies = random.int(3) === 0;
  // A connection keeps its order. A gateway that sends commits late or twice must
  // lose nothing either, but what it tells too soon may show for a moment.
  const disorder = random.int(4) === 0;
  /** What a user has seen of an edit stays to be seen, once: from the edit on, through verdict and commit. */
  const visible = (d: Device) => {
    if (disorder || d.value("all", "title") === undefined) return;
    const tags = new Set(list(d.value("all", "tags")));
    if (d.value("all", "votes") !== tags.size) wrong.push(`${d.value("all", "votes")} votes in the view for ${tags.size} edits`);
    for (const m of made) {
      if (m.device === d && m.counts && d.settled.get(m.ref)?.outcome !== "rejected" && !tags.has(m.tag)) {
        wrong.push(`the edit ${m.tag} has vanished from the view`);
      }
    }
  };

  for (let step = 0; step < steps; step++) {
    const d = devices[random.int(devices.length)] as Device;
    const n = random.int(100);
    if (n < 12) {
      const name = `t${step}`;
      let ops: Op[] = [add("all", "votes", 1), tag("all", "tags", name)];
      if (random.int(3) === 0) ops.push(set("all", "title", name));
      if (random.int(8) === 0) ops = [set("missing", "title", name)]; // will be rejected
      made.push({ device: d, ref: d.mutate(...ops), tag: name, local: false, counts: ops.length > 1 });
    } else if (n < 35) d.write();
    else if (n < 60) d.sendOne();
    else if (n < 85) {
      if (d.receiveOne()) visible(d);
    } else if (n < 90) d.connect();
    else if (n < 93) d.wait(random.int(2000));
    else if (n < 95) d.cut();
    else if (n < 97) {
      forget(d);
      d.crash();
    } else if (n < 98) d.conn?.dropCommit();
    else if (n < 99) {
      if (copies && devices.length < 4 && !d.batch && d.pending().length === 0) addDevice(d);
    } else if (trims && random.int(4) === 0) g.trim();
    else if (trims && random.int(3) === 0) g.horizon = g.head().seq; // devices are remembered
    else if (disorder) d.conn?.disorder(random.int(2) === 0);
  }
  for (const d of devices) {
    // Once more through a restart or a reconnect, with every fate of what is under way.
    if (random.int(2) === 0) {
      forget(d);
      d.crash();
    }
    d.cut();
  }
  settle(...devices);

  const kept = new Set<Value>();
  for (const [i, d] of devices.entries()) {
    if (d.hash() !== g.hash()) wrong.push(`device ${i}: diverged at ${d.space.cursor.seq} of ${g.head().seq}`);
    if (d.pending().length > 0) wrong.push(`device ${i}: ${d.pending().length} mutations are stuck: ${d.core.status.lastError?.message}`);
    if (d.badAck) wrong.push(`device ${i}: acknowledged what was not durable`);
    if (JSON.stringify(d.view()) !== JSON.stringify(d.confirmed())) wrong.push(`device ${i}: the view differs from the confirmed state`);
    const listed = new Set<string>();
    for (const r of d.space.rejected) {
      const name = [r.device, r.counter, r.body].join();
      if (listed.has(name)) wrong.push(`device ${i}: the rejected mutation ${name} is in the list twice`);
      listed.add(name);
      for (const op of rejectedOps(decodeMutation(r.body), r.verdict)) {
        if (op.kind === "set-add") kept.add(op.value);
        if (op.kind === "set" && op.id === "missing") kept.add(op.fields[0]?.value as Value);
      }
    }
    // Restarted, it is the same again.
    const before = JSON.stringify([d.view(), d.space.rejected, d.space.conflicts]);
    while (d.write());
    forget(d);
    d.offline = true;
    d.crash();
    if (JSON.stringify([d.view(), d.space.rejected, d.space.conflicts]) !== before) wrong.push(`device ${i}: not the same after a restart`);
  }
  const committed = new Set(list(g.value("all", "tags")));
  if (g.value("all", "votes") !== committed.size) wrong.push(`${g.value("all", "votes")} votes for ${committed.size} edits: an edit took effect twice, or in part`);
  for (const m of made) if (m.local && !committed.has(m.tag) && !kept.has(m.tag)) wrong.push(`the edit ${m.tag} was durable on its device and is lost`);
  return wrong;
}

function list(value: Value | undefined): readonly Value[] {
  return Array.isArray(value) ? value : [];
}

const seeds = Number(process.env["SEEDS"] ?? 150);
const from = Number(process.env["FIRST_SEED"] ?? 0);

test(`${seeds} random histories converge, and lose and double nothing`, () => {
  for (let seed = from; seed < from + seeds; seed++) expect(chaos(seed), `seed ${seed}`).toEqual([]);
});
