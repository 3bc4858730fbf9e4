// A gateway of one space, small enough to be believed: every push is merged and
// committed at once, connections are queues of messages in memory. It merges as if
// nothing were concurrent, but for a set over what its author had not seen, of
// which the author of the overwritten value is told.
import { alive, apply, predict, stateHash, valueOf } from "../../src/merge/index.js";
import type { Rec } from "../../src/merge/index.js";
import {
  NameTable, decodeMutation, maxRecent, nextHash, noBlob, noCursor, noHash, sha256, toHex,
} from "../../src/protocol/index.js";
import type { Ack, Change, Conflict, Cursor, Delta, DeviceID, FieldChange, Frame, Hash, Mutation, Op, Recent, Subscribe, Value, Verdict } from "../../src/protocol/index.js";
import { encodeDelivery } from "../../src/protocol/delivery_write.js";
import { format } from "../../src/protocol/format.js";
import { decodeClientMessage } from "../../src/protocol/scan.js";
import { keyText } from "../../src/watch.js";

interface Commit {
  readonly cursor: Cursor;
  readonly wire: Uint8Array;
  readonly notices: readonly { readonly device: DeviceID; readonly frame: Uint8Array }[];
}

/** A device's entry. */
export interface Entry {
  counter: number;
  hash: Hash;
  recent: Recent[];
  /** Its last commit. */
  last: number;
  rejections: Verdict[];
}

export class Model {
  now = 2 ** 40;
  commits: Commit[] = [];
  records = new Map<string, Rec>();
  /** Who changed a field last, and when: for conflicts. */
  authors = new Map<string, { device: DeviceID; seq: number }>();
  names = new NameTable();
  devices = new Map<DeviceID, Entry>();
  horizon = 0;
  /** Tells one history from another. */
  history = 0;
  conns: Conn[] = [];
  /** Remembers no running hashes but the last. */
  forgetful = false;
  readOnly = false;
  /** Device ids of another user. */
  bound = new Set<DeviceID>();
  /** Answers to subscribe and push, if set. */
  refuse = "";
  window = 1 << 20;
  mutations = 256;
  expires = 0;
  ackNow = false;

  /** The durable state as it is now, without connections: what a backup would hold. */
  copy(): Model {
    const c = Object.assign(new Model(), this);
    c.commits = [...this.commits];
    c.records = new Map(this.records);
    c.authors = new Map(this.authors);
    c.names = this.names.clone();
    c.devices = new Map([...this.devices].map(([id, d]) => [id, { ...d, recent: [...d.recent], rejections: [...d.rejections] }]));
    c.bound = new Set(this.bound);
    c.conns = [];
    return c;
  }

  connect(): Conn {
    const c = new Conn(this);
    this.conns.push(c);
    return c;
  }

  head(): Cursor {
    return this.commits.at(-1)?.cursor ?? noCursor;
  }

  /** Raises the horizon to head and forgets the devices whose last commit lies behind it. */
  trim(): void {
    this.horizon = this.head().seq;
    for (const [id, d] of this.devices) if (d.last < this.horizon) this.devices.delete(id);
  }

  hash(): string {
    return stateHash([...this.records.values()].filter(alive));
  }

  value(id: string, field: string): Value | undefined {
    return valueOf(this.records.get(keyText({ collection: "cards", id })), field);
  }
}

interface Sub {
  readonly device: DeviceID;
  cursor: Cursor;
  readonly collections: readonly string[];
  readonly presence: boolean;
}

export class Conn {
  readonly subs = new Map<number, Sub>();
  /** Messages for the client. */
  out: Uint8Array[] = [];
  /** Those of out that deliver a commit, and delivered ones. */
  readonly commits = new Set<Uint8Array>();
  /** Everything the client sent. */
  readonly frames: Frame[] = [];
  onAck: (ack: Ack) => void = () => {};

  constructor(readonly gateway: Model) {}

  close(): void {
    this.gateway.conns = this.gateway.conns.filter((c) => c !== this);
  }

  /** Takes a message from the client. */
  receive(message: Uint8Array): void {
    const g = this.gateway;
    for (const f of decodeClientMessage(message) as Frame[]) {
      this.frames.push(f);
      switch (f.frame) {
        case "hello":
          this.raw({
            frame: "welcome", version: 1, compression: "none", session: "s", clock: g.now, user: "ada", expires: g.expires, window: g.window,
            windowMutations: g.mutations, frameBytes: 1 << 20, mutationBytes: 128 << 10, pingEvery: 25000,
          });
          break;
        case "subscribe":
          this.subscribe(f);
          break;
        case "unsubscribe":
          this.subs.delete(f.handle);
          this.raw({ frame: "unsubscribed", handle: f.handle, code: "", message: "" });
          break;
        case "push":
          this.push(f.handle, f.first, f.previous, f.bodies);
          break;
        case "ack":
          this.onAck(f);
          for (const { handle, counters } of f.confirmed) {
            const d = g.devices.get(this.subs.get(handle)?.device ?? "");
            if (d) d.rejections = d.rejections.filter((v) => !counters.includes(v.counter));
          }
          break;
        case "ping":
          this.raw({ frame: "pong", nonce: f.nonce, clock: g.now });
          break;
        case "token":
          this.raw({ frame: "token accept", expires: 0 });
          break;
        case "fetch":
          this.raw({ frame: "fetched", handle: f.handle, blob: f.blob, value: "the long value" });
          break;
        case "presence":
          for (const other of g.conns) {
            if (other === this) continue;
            for (const [handle, sub] of other.subs) {
              const device = this.subs.get(f.handle)?.device ?? "";
              if (sub.presence) other.raw({ frame: "present", handle, devices: [{ author: { device, user: "ada" }, value: f.value }] });
            }
          }
      }
    }
  }

  /** Sends one frame. */
  raw(f: Frame): void {
    this.out.push(message(encodeDelivery([f])));
  }

  private subscribe(f: Subscribe): void {
    const g = this.gateway;
    const refused = g.refuse || (g.bound.has(f.device) && "device-bound");
    if (refused) {
      this.raw({ frame: "unsubscribed", handle: f.handle, code: refused, message: "not now" });
      return;
    }
    const d = g.devices.get(f.device);
    const at = f.cursor;
    const head = g.head();
    const other = at.seq > head.seq || (at.seq > 0 && g.commits[at.seq - 1]?.cursor.commit !== at.commit);
    const mode = other ? "other-history" : at.seq < g.horizon || (at.seq === 0 && g.commits.length > 20) ? "snapshot" : "resume";
    this.raw({
      frame: "subscribed", handle: f.handle, mode, head, horizon: g.horizon, known: d !== undefined, counter: d?.counter ?? 0,
      hash: d?.hash ?? noHash, recent: d && !g.forgetful && f.counter < d.counter ? d.recent.slice(f.counter).slice(-maxRecent) : [],
      rejections: d?.rejections ?? [], write: !g.readOnly, schemaVersion: 0,
    });
    const sub: Sub = { device: f.device, cursor: f.cursor, collections: f.collections, presence: f.presence };
    this.subs.set(f.handle, sub);
    if (mode !== "resume") this.snapshot(f.handle, sub);
    this.deliver(f.handle);
  }

  private snapshot(handle: number, sub: Sub): void {
    const g = this.gateway;
    const into = (...frames: Frame[]) => this.out.push(message(encodeDelivery([{ frame: "in", handle }, ...frames], g.names)));
    into({ frame: "snapshot", names: g.names.names, records: g.records.size });
    for (const text of [...g.records.keys()].sort()) {
      const record = g.records.get(text) as Rec;
      const { collection } = record;
      if (alive(record) && (sub.collections.length === 0 || sub.collections.includes(collection))) {
        into({ frame: "page", label: 0, collection, records: [record] });
      }
    }
    const d = g.devices.get(sub.device);
    into({ frame: "snapshot end", cursor: g.head(), newest: g.head().seq, counter: d?.counter ?? 0, hash: d?.hash ?? noHash });
    sub.cursor = g.head();
  }

  /** Sends what lies between the subscription's cursor and head, a message each commit. */
  deliver(handle: number): void {
    const sub = this.subs.get(handle) as Sub;
    for (const commit of this.gateway.commits.slice(sub.cursor.seq)) {
      const notices = commit.notices.filter((n) => n.device === sub.device).map((n) => n.frame);
      const data = message(encodeDelivery([{ frame: "in", handle }]), commit.wire, ...notices);
      this.out.push(data);
      this.commits.add(data);
      sub.cursor = commit.cursor;
    }
  }

  /** Loses a delivery that is under way, as a gateway with a bug would. */
  dropCommit(): void {
    const at = this.out.findIndex((m) => this.commits.has(m));
    if (at >= 0) this.out.splice(at, 1);
  }

  /** Delivers a commit behind what was sent after it; the first time as well, if `twice`. */
  disorder(twice: boolean): void {
    const at = this.out.findIndex((m) => this.commits.has(m));
    const late = this.out[at];
    if (!late) return;
    if (!twice) this.out.splice(at, 1);
    this.out.push(late);
  }

  private push(handle: number, first: number, previous: Hash, bodies: readonly Uint8Array[]): void {
    const g = this.gateway;
    const sub = this.subs.get(handle);
    if (!sub) return;
    if (g.refuse) {
      this.raw({ frame: "error", code: g.refuse, message: "not now", handle, counter: first });
      return;
    }
    const d: Entry = g.devices.get(sub.device) ?? { counter: 0, hash: noHash, recent: [], last: 0, rejections: [] };
    if (first !== d.counter + 1 || previous !== d.hash) {
      this.raw({ frame: "verdicts", handle, replay: true, counter: d.counter, hash: d.hash, list: [] });
      return;
    }
    const parsed = bodies.map(decodeMutation);
    if (parsed.some((m) => m.base > g.head().seq)) {
      this.raw({ frame: "error", code: "base", message: "", handle, counter: first });
      return;
    }
    g.devices.set(sub.device, d);
    g.now += 10;
    const seq = g.head().seq + 1;
    const id = toHex(sha256(Uint8Array.of(g.history, seq >> 8, seq & 255)), 0, 8);
    const list: Verdict[] = [];
    const merging = new Merging(g, seq, sub.device);
    for (const [i, m] of parsed.entries()) {
      d.counter++;
      d.hash = nextHash(d.hash, bodies[i] as Uint8Array);
      d.last = seq;
      const why = merging.merge(m);
      const v: Verdict = { counter: d.counter, seq, outcome: why ? "rejected" : "applied", code: why, message: why && "the card is not there", field: "", ops: [] };
      d.recent.push({ hash: d.hash, rejected: why !== "" });
      list.push(v);
      if (why) d.rejections.push(v);
    }
    g.commits.push({ cursor: { seq, commit: id }, ...merging.commit(id) });
    this.raw({ frame: "verdicts", handle, replay: false, counter: d.counter, hash: d.hash, list });
    for (const other of g.conns) for (const h of other.subs.keys()) other.deliver(h);
  }
}

/** One commit that is being made. */
class Merging {
  private readonly deltas = new Map<string, Delta[]>();
  private readonly stamps: { author: number; base: number; editTime: number }[] = [];
  private readonly conflicts: Conflict[] = [];

  constructor(
    private readonly g: Model,
    private readonly seq: number,
    private readonly device: DeviceID,
  ) {}

  /** Applies a mutation, or says why not. */
  merge(m: Mutation): "" | "missing" | "exists" {
    for (const op of m.ops) {
      const record = this.g.records.get(keyText(op));
      if (op.kind === "create" ? record : !alive(record)) return record ? "exists" : "missing";
    }
    const n = this.stamps.length;
    const editTime = Math.min(m.editTime, this.g.now);
    for (const op of m.ops) {
      const change = this.change(op);
      if (!change) continue;
      this.collide(m, op, editTime);
      const text = keyText(op);
      const record = apply(this.g.records.get(text), change, this.seq);
      this.g.records.set(text, record as Rec);
      const deltas = this.deltas.get(op.collection) ?? [];
      this.deltas.set(op.collection, deltas);
      const last = deltas.at(-1);
      if (last?.mutation === n) (last.changes as Change[]).push(change);
      else deltas.push({ mutation: n, changes: [change] });
    }
    this.stamps.push({ author: 0, base: m.base, editTime });
    return "";
  }

  /** Tells the author of a value that a set overwrites without having seen it. */
  private collide(m: Mutation, op: Op, time: number): void {
    if (op.kind !== "set") return;
    const { collection, id } = op;
    for (const { field, value } of op.fields) {
      const name = `${keyText(op)}.${field}`;
      const before = this.g.authors.get(name);
      const lost = valueOf(this.g.records.get(keyText(op)), field);
      if (before && before.seq > m.base && before.device !== this.device) {
        const side = (device: DeviceID, v: Value | undefined) => ({ author: { device, user: "ada" }, time, value: v, blob: noBlob });
        this.conflicts.push({
          seq: this.seq, collection, id, field, element: "", policy: "lww", open: false, base: undefined,
          kept: side(this.device, value), lost: side(before.device, lost),
        });
      }
      this.g.authors.set(name, { device: this.device, seq: this.seq });
    }
  }

  /** What an op changes: as a client predicts it, for there is nothing it has not seen that matters. */
  private change(op: Op): Change | undefined {
    const { collection, id } = op;
    const fields = (list: readonly FieldChange[]): Change => ({ collection, id, kind: "fields", fields: list });
    const one = (field: string, kind: FieldChange["kind"], value: Value | undefined): FieldChange => ({ field, kind, value, element: "", position: "" });
    switch (op.kind) {
      case "create":
        return { collection, id, kind: "create", fields: op.fields.map((f) => one(f.field, "put", f.value)) };
      case "set":
        return fields(op.fields.map((f) => one(f.field, "put", f.value)));
      case "set-add":
        return fields([one(op.field, "set-added", op.value)]);
      case "delete":
        return { collection, id, kind: "delete", fields: [] };
      case "add": {
        const next = valueOf(predict(this.g.records.get(keyText(op)), op), op.field);
        return fields([one(op.field, "put", next)]);
      }
    }
    throw new Error(`the model does not merge ${op.kind}`);
  }

  /** The commit as it is delivered. */
  commit(id: string): Pick<Commit, "wire" | "notices"> {
    const { g, seq } = this;
    const firstName = g.names.names.length;
    for (const [collection, deltas] of this.deltas) {
      g.names.add(collection);
      for (const { changes } of deltas) for (const c of changes) for (const f of c.fields) g.names.add(f.field);
    }
    const frames: Frame[] = [
      {
        frame: "commit", seq, id, time: g.now, schemaVersion: 0, ackNow: g.ackNow, firstName, names: g.names.names.slice(firstName),
        authors: [{ device: this.device, user: "ada" }], mutations: this.stamps,
      },
    ];
    for (const [collection, deltas] of this.deltas) frames.push({ frame: "section", label: 0, collection, deltas });
    return {
      wire: encodeDelivery(frames, g.names),
      notices: this.conflicts.map((c) => ({ device: c.lost.author.device, frame: encodeDelivery([{ ...c, frame: "conflict" }]) })),
    };
  }
}

function message(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from([format, ...parts.flatMap((part) => [...part])]);
}
