// The frames that a connection exchanges about itself, and the parts that frames
// share. Each table shows the elements that SPEC.md shows, in the same order.
import { bool, bytes, id, int, list, optional, parts, text, tuple, uint, uint32, upTo, word } from "./codec.js";
import type { Codec, Fields } from "./codec.js";
import type { Conflict, Policy, Side } from "./conflict.js";
import { subscribeModes } from "./frame.js";
import type {
  Ack,
  Advance,
  Compressed,
  ConflictNotice,
  DevicePresence,
  ErrorFrame,
  Fetch,
  Fetched,
  Frame,
  GoingAway,
  Hello,
  In,
  Ping,
  Pong,
  Presence,
  Present,
  Push,
  Recent,
  Snapshot,
  SnapshotEnd,
  Subscribe,
  Subscribed,
  Token,
  TokenAccept,
  Unsubscribe,
  Unsubscribed,
  Verdicts,
  Welcome,
  Window,
} from "./frame.js";
import { fromHex, noBlob } from "./ids.js";
import type { Author, Cursor } from "./ids.js";
import { maxNames, maxTokenBytes } from "./limits.js";
import { textSize } from "./text.js";
import type { Reader } from "./reader.js";
import { verdict } from "./verdict_codec.js";
import type { Writer } from "./writer.js";

/** How a kind of frame is written, its head included, and read behind its head and type. */
export interface Layout {
  readonly frame: Frame["frame"];
  /** Only of what a client writes, to a gateway or its store. */
  write?(w: Writer, frame: Frame): void;
  read(r: Reader, n: number): Frame;
}

const hash: Codec<string> = { write: (w, v) => w.bytes(fromHex(v)), read: (r, field) => r.hex(field, 16) };
export const commit: Codec<string> = { write: (w, v) => w.bytes(fromHex(v)), read: (r, field) => r.hex(field, 8) };
const device: Codec<string> = { write: (w, v) => w.bytes(fromHex(v)), read: (r, field) => r.uuid(field) };
const blob: Codec<string> = {
  write: (w, v) => w.bytes(v === noBlob ? new Uint8Array() : fromHex(v)),
  read: (r, field) => r.hex(field, 16, true),
};
const cursor = tuple<Cursor>({ seq: uint, commit });
const verdicts = list(verdict);

/** A device and its user, as two elements. */
export const author: Codec<Author> = {
  width: 2,
  write(w, v) {
    device.write(w, v.device);
    w.text(v.user);
  },
  read: (r) => ({ device: device.read(r, "device"), user: r.text("user") }),
};

const handle: Codec<number> = {
  write: (w, v) => w.int(v),
  read: (r, field) => uint32.read(r, field) || r.fail(field, "0 is no handle"),
};

/** Nothing may parse a token before its length is known. */
const token: Codec<string> = {
  write: (w, v) => w.text(v),
  read(r, field) {
    const token = r.text(field);
    if (textSize(token) > maxTokenBytes) r.fail(field, `it is longer than ${maxTokenBytes} bytes`, "too-large");
    return token;
  },
};

const bodies: Codec<readonly Uint8Array[]> = {
  write: list(bytes).write,
  read(r, field) {
    const bodies = list(bytes).read(r, field);
    return bodies.length > 0 ? bodies : r.fail(field, "there is none");
  },
};

const first: Codec<number> = {
  write: (w, v) => w.int(v),
  read: (r, field) => r.uint(field) || r.fail(field, "counters start at 1"),
};

const side = tuple<Side>({ author, time: int, value: optional, blob });
const conflict: Fields<Conflict> = {
  seq: uint,
  collection: text,
  id,
  field: text,
  element: id,
  policy: text as Codec<Policy>,
  open: bool,
  base: optional,
  kept: side,
  lost: side,
};

/** The name table of a snapshot takes the place of the one before it. */
const table: Codec<readonly string[]> = {
  write: list(text).write,
  read(r, field) {
    const names = list(text).read(r, field);
    if (names.length > maxNames) r.fail(field, `${names.length} are more than a table holds`);
    r.names?.truncate(0);
    learn(r, 0, names);
    return names;
  },
};

/** Takes over the names that a frame brings. */
export function learn(r: Reader, first: number, names: readonly string[]): void {
  const why = names.length > 0 && r.names?.learn(first, names);
  if (why) r.fail("names", why);
}

function layout<F extends Frame>(type: number, frame: F["frame"], fields: Fields<Omit<F, "frame">>): [number, Layout] {
  const inner = parts(fields);
  return [
    type,
    {
      frame,
      write(w, f) {
        w.array(inner.width + 1);
        w.int(type);
        inner.write(w, f as never);
      },
      read: (r, n) => inner.read(r, n, { frame }) as unknown as Frame,
    },
  ];
}

/** The layouts by the numbers that stand at the beginning of frames. */
export const control: readonly [number, Layout][] = [
  layout<Hello>(1, "hello", {
    version: uint32,
    compression: list(text),
    token,
    device,
    clock: int,
    window: uint,
    client: text,
  }),
  layout<Welcome>(2, "welcome", {
    version: uint32,
    compression: text,
    session: text,
    clock: int,
    user: text,
    expires: int,
    window: uint,
    windowMutations: uint,
    frameBytes: uint,
    mutationBytes: uint,
    pingEvery: uint,
  }),
  layout<Subscribe>(3, "subscribe", {
    handle,
    space: text,
    device,
    cursor,
    counter: uint,
    collections: list(text),
    priority: upTo(255),
    presence: bool,
  }),
  layout<Subscribed>(4, "subscribed", {
    handle,
    mode: word(subscribeModes),
    head: cursor,
    horizon: uint,
    known: bool,
    counter: uint,
    hash,
    recent: list(tuple<Recent>({ hash, rejected: bool })),
    rejections: verdicts,
    write: bool,
    schemaVersion: uint32,
  }),
  layout<Unsubscribe>(5, "unsubscribe", { handle }),
  layout<Push>(6, "push", { handle, first, previous: hash, bodies }),
  layout<Verdicts>(7, "verdicts", { handle, counter: uint, hash, replay: bool, list: verdicts }),
  layout<In>(8, "in", { handle }),
  layout<ConflictNotice>(11, "conflict", conflict),
  layout<Advance>(12, "advance", { cursor }),
  layout<Snapshot>(13, "snapshot", { names: table, records: uint }),
  layout<SnapshotEnd>(15, "snapshot end", { cursor, newest: uint, counter: uint, hash }),
  layout<Ack>(16, "ack", {
    received: uint,
    cursors: list(tuple<Ack["cursors"][number]>({ handle, cursor })),
    confirmed: list(tuple<Ack["confirmed"][number]>({ handle, counters: list(uint) })),
  }),
  layout<Window>(17, "window", { bytes: uint }),
  layout<Presence>(18, "presence", { handle, value: optional }),
  layout<Present>(19, "present", { handle, devices: list(tuple<DevicePresence>({ author, value: optional })) }),
  layout<Token>(20, "token", { token }),
  layout<TokenAccept>(21, "token accept", { expires: int }),
  layout<ErrorFrame>(22, "error", { code: text, message: text, handle: uint32, counter: uint }),
  layout<GoingAway>(23, "going away", { within: uint }),
  layout<Ping>(24, "ping", { nonce: uint }),
  layout<Pong>(25, "pong", { nonce: uint, clock: int }),
  layout<Fetch>(26, "fetch", { handle, blob: hash }),
  layout<Fetched>(27, "fetched", { handle, blob: hash, value: optional }),
  layout<Unsubscribed>(28, "unsubscribed", { handle, code: text, message: text }),
  layout<Compressed>(29, "compressed", { dictionary: uint32, data: bytes }),
];
