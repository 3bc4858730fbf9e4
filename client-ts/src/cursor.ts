import { keepConflict } from "./conflicts.js";
import type { Core, CoreSpace } from "./core.js";
import { Fold } from "./merge/index.js";
import type { NameTable } from "./protocol/index.js";
import { decodeMessage, noCursor } from "./protocol/index.js";
import type { CommitHeader, Conflict, Cursor, Frame, Section } from "./protocol/index.js";
import { leave } from "./queue.js";
import { control, dropLink, isUp, outOfPlace, progress, protocolError } from "./reconnect.js";
import { beginSnapshot, endSnapshot, finishStage, page } from "./snapshot.js";
import { live } from "./subscribe.js";
import { keyText } from "./watch.js";
import { alive } from "./merge/index.js";

/** Takes a message from the connection. Its commits are applied whole, in one batch with the cursor that they move. */
export function message(c: Core, now: number, data: Uint8Array): void {
  c.tick(now);
  if (!isUp(c)) return;
  c.link.heard = c.now;
  c.link.pinged = false;
  try {
    read(c, data);
  } catch (error) {
    dropLink(c, error);
  }
  c.advance();
}

/** The name table that a subscription's deliveries are written with. */
function namesOf(c: Core, handle: number): NameTable | undefined {
  const s = c.link.handles.get(handle);
  if (s) s.namesChanged = true; // decoding may add to it
  return s ? s.names : c.link.ending.get(handle)?.names;
}

/** A commit that is being read. */
interface Reading {
  readonly header: CommitHeader;
  /** Undefined if the commit is a repeat. */
  readonly fold: Fold | undefined;
  readonly notices: Conflict[];
}

/**
 * Goes through the frames of one message. An `in` says which subscription the
 * deliveries after it belong to; a commit reaches to the next frame that is not a
 * part of it.
 */
function read(c: Core, data: Uint8Array): void {
  const { decompress } = c.config;
  c.stats.rawIn += data.length;
  const frames = decodeMessage(data, {
    names: (handle) => namesOf(c, handle),
    decompress:
      decompress &&
      ((dictionary, packed) => {
        const whole = decompress(dictionary, packed);
        c.stats.rawIn += whole.length - packed.length;
        return whole;
      }),
  });
  let delivery = false;
  /** Undefined before the first `in`, null for a subscription that was given up. */
  let space: CoreSpace | null | undefined;
  let commit: Reading | undefined;
  const end = () => {
    if (commit && space) endCommit(c, space, commit);
    commit = undefined;
  };
  for (const f of frames) {
    if (f.frame === "section" || f.frame === "conflict") {
      if (space === null) continue;
      if (!commit) throw outOfPlace(f);
      if (f.frame === "section") section(commit, f);
      else commit.notices.push(f);
      continue;
    }
    end();
    switch (f.frame) {
      case "in":
        delivery = true;
        space = live(c, f.handle) ?? null;
        break;
      case "commit":
      case "advance":
      case "snapshot":
      case "page":
      case "snapshot end":
        if (space === undefined) throw outOfPlace(f);
        if (space === null) break;
        progress(c);
        if (f.frame === "commit") commit = beginCommit(c, space, f);
        else deliver(c, space, f);
        break;
      default:
        control(c, f);
    }
  }
  end();
  if (delivery) c.link.received += data.length;
}

function deliver(c: Core, s: CoreSpace, f: Frame): void {
  switch (f.frame) {
    case "advance":
      if (f.cursor.seq > position(s).seq) {
        setPosition(s, f.cursor);
        moved(c, s);
      }
      break;
    case "snapshot":
      beginSnapshot(s, f);
      break;
    case "page":
      page(s, f);
      break;
    case "snapshot end":
      endSnapshot(c, s, f);
  }
}

/** The cursor that deliveries continue: the space's, or that of the snapshot which is coming in. */
function position(s: CoreSpace): Cursor {
  return (s.stage ?? s).cursor;
}

function setPosition(s: CoreSpace, cursor: Cursor): void {
  (s.stage ?? s).cursor = cursor;
}

function beginCommit(c: Core, s: CoreSpace, f: CommitHeader): Reading {
  if (s.stage && !s.stage.ended) throw protocolError("out-of-order", `commit ${f.seq} before the end of the snapshot`);
  const at = position(s);
  const reading = (fold?: Fold): Reading => ({ header: f, fold, notices: [] });
  if (f.seq <= at.seq) {
    c.stats.repeats++;
    if (f.seq === at.seq && f.id !== at.commit && at.commit !== noCursor.commit) {
      throw protocolError("out-of-order", `commit ${f.seq} is another than the one that was applied`);
    }
    return reading();
  }
  if (f.seq !== at.seq + 1) {
    c.stats.gaps++;
    throw protocolError("out-of-order", `commit ${f.seq} does not follow ${at.seq}`);
  }
  const { stage } = s;
  return reading(new Fold(f.seq, (key) => (stage ? stage.records.get(keyText(key)) : s.view.confirmed(key))));
}

function section({ fold }: Reading, f: Section): void {
  if (fold) for (const delta of f.deltas) for (const change of delta.changes) fold.apply(change);
}

/** Applies the commit that was being read. */
function endCommit(c: Core, s: CoreSpace, { header, fold, notices }: Reading): void {
  if (!fold) return;
  for (const [key, record] of fold.records()) {
    const text = keyText(key);
    if (!s.stage) {
      s.changedRecords.add(text);
      s.view.set(key, record);
    } else if (alive(record)) {
      s.stage.records.set(text, record);
    } else {
      s.stage.records.delete(text);
    }
  }
  for (const conflict of notices) keepConflict(s, conflict);
  recognise(s, header);
  setPosition(s, { seq: header.seq, commit: header.id });
  s.schemaVersion = Math.max(s.schemaVersion, header.schemaVersion);
  if (header.ackNow) s.ackNow = header.seq;
  c.stats.commits++;
  moved(c, s);
}

/**
 * Finds mutations of this device in a commit, whose verdict was lost, so that they
 * leave the view with their own commit and not only at the head that bounds it.
 * Base and edit time tell them apart, in their order; one that the server has
 * clamped to another time waits for the bound.
 */
function recognise(s: CoreSpace, header: CommitHeader): void {
  let next = 0;
  for (const m of header.mutations) {
    const device = header.authors[m.author]?.device;
    const at = s.leaving.findIndex(
      (p, i) => i >= next && !p.idle && p.device === device && p.mutation.base === m.base && p.mutation.editTime === m.editTime,
    );
    if (at < 0) continue;
    for (; next <= at; next++) {
      const p = s.leaving[next];
      if (p) p.leaveAt = Math.min(p.leaveAt, header.seq);
    }
  }
}

/** Does what a new cursor brings with it, in the same batch. */
export function moved(c: Core, s: CoreSpace): void {
  s.head = Math.max(s.head, position(s).seq);
  if (s.stage) {
    finishStage(c, s);
    return;
  }
  s.attempts = 0;
  s.save();
  leave(s);
  s.changed();
}
