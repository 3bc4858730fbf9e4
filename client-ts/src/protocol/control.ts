// The frames that a connection exchanges about itself, and the parts that frames
// share. Each table shows the elements that SPEC.md shows, in the same order.
import { bool, bytes, id, int, list, optional, parts, some, text, time, tuple, uint, uint32, word } from "./codec.js";
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
import { formatUUID, fromHex, noBlob } from "./ids.js";
import type { Author, Cursor } from "./ids.js";
import { maxNames, maxTokenBytes } from "./limits.js";
import type { Reader } from "./reader.js";
import { textSize } from "./text.js";
import { verdict } from "./verdict_codec.js";
import type { Writer } from "./writer.js";

/** How a kind of frame is written, its head included, and read behind its head and type. */
export interface Layout {
  readonly type: number;
  readonly frame: Frame["frame"];
  /** Only of what a client writes, to a gateway or its store. */
  write?(w: Writer, frame: Frame): void;
  read(r: Reader, n: number): Frame;
}

/** Bytes that are text on this side. */
function fixed(n: number, show?: typeof formatUUID): Codec<string> {
  return { write: (w, v) => w.bytes(fromHex(v)), read: (r) => r.fixed(n, show) };
}

const hash = fixed(16);
const device = fixed(16, formatUUID);
export const commit = fixed(8);
const blob: Codec<string> = {
  write: (w, v) => w.bytes(fromHex(v === noBlob ? "" : v)),
  read: (r) => r.fixed(16, undefined, true),
};
const cursor = tuple<Cursor>({ seq: uint, commit });
const handle = some(uint32);
const texts = list(text);
const verdicts = list(verdict);

/** A device and its user, as two elements. */
export const author: Codec<Author> = {
  width: 2,
  write(w, v) {
    device.write(w, v.device);
    w.text(v.user);
  },
  read: (r) => ({ device: device.read(r), user: r.text() }),
};

/** Nothing may parse a token before its length is known. */
const token: Codec<string> = {
  write: text.write,
  read(r) {
    const token = r.text();
    return textSize(token) > maxTokenBytes ? r.fail(`it is longer than ${maxTokenBytes} bytes`, "too-large") : token;
  },
};

/** The name table of a snapshot takes the place of the one before it. */
const table: Codec<readonly string[]> = {
  write: texts.write,
  read(r) {
    const names = texts.read(r);
    if (names.length > maxNames) r.fail("they are more than a table holds");
    r.names?.truncate(0);
    learn(r, 0, names);
    return names;
  },
};

/** Takes over the names that a frame brings. */
export function learn(r: Reader, first: number, names: readonly string[]): void {
  if (names.length > 0 && r.names?.learn(first, names) === false) r.fail("the names do not fit the table");
}

const side = tuple<Side>({ author, time, value: optional, blob });
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

function layout<F extends Frame>(type: number, frame: F["frame"], fields: Fields<Omit<F, "frame">>): Layout {
  const inner = parts(fields);
  return {
    type,
    frame,
    write(w, f) {
      w.array(inner.width + 1);
      w.int(type);
      inner.write(w, f as never);
    },
    read: (r, n) => inner.read(r, n, { frame }) as unknown as Frame,
  };
}

export const control: readonly Layout[] = [
  layout<Hello>(1, "hello", {
    version: uint32,
    compression: texts,
    token,
    device,
    clock: time,
    window: uint,
    client: text,
  }),
  layout<Welcome>(2, "welcome", {
    version: uint32,
    compression: text,
    session: text,
    clock: time,
    user: text,
    expires: time,
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
    collections: texts,
    priority: int(0, 255),
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
  layout<Push>(6, "push", { handle, first: some(uint), previous: hash, bodies: some(list(bytes)) }),
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
  layout<TokenAccept>(21, "token accept", { expires: time }),
  layout<ErrorFrame>(22, "error", { code: text, message: text, handle: uint32, counter: uint }),
  layout<GoingAway>(23, "going away", { within: uint }),
  layout<Ping>(24, "ping", { nonce: uint }),
  layout<Pong>(25, "pong", { nonce: uint, clock: time }),
  layout<Fetch>(26, "fetch", { handle, blob: hash }),
  layout<Fetched>(27, "fetched", { handle, blob: hash, value: optional }),
  layout<Unsubscribed>(28, "unsubscribed", { handle, code: text, message: text }),
  layout<Compressed>(29, "compressed", { dictionary: uint32, data: bytes }),
];
