import type { Core, CoreSpace } from "./core.js";
import { alive, recordFromState, sameState } from "./merge/index.js";
import type { Rec } from "./merge/index.js";
import { moved } from "./cursor.js";
import { noCursor } from "./protocol/index.js";
import type { Cursor, Page, Snapshot, SnapshotEnd } from "./protocol/index.js";
import { leave, rebaseQueue } from "./queue.js";
import { outOfPlace } from "./reconnect.js";
import { keyText } from "./watch.js";

/**
 * A confirmed state that is coming in beside the present one, which stays to be
 * seen until the new one is whole. It lives in memory alone: a snapshot that
 * breaks off starts anew.
 */
export interface Stage {
  readonly records: Map<string, Rec>;
  cursor: Cursor;
  /**
   * True once the last page is here. Pages may be newer than the cursor; the state
   * is one that existed once the cursor has reached until.
   */
  ended: boolean;
  until: number;
}

export function newStage(ended = false, until = 0): Stage {
  return { records: new Map(), cursor: noCursor, ended, until };
}

/** The stage that frames of a snapshot belong to. */
function coming(s: CoreSpace, f: Snapshot | Page | SnapshotEnd): Stage {
  if (!s.stage || s.stage.ended) throw outOfPlace(f);
  return s.stage;
}

export function beginSnapshot(s: CoreSpace, f: Snapshot): void {
  coming(s, f);
  s.stage = newStage();
}

export function page(s: CoreSpace, f: Page): void {
  const { records } = coming(s, f);
  for (const state of f.records) {
    const text = keyText(state);
    if ((records.get(text)?.version ?? 0) <= state.version) records.set(text, recordFromState(state));
  }
}

export function endSnapshot(c: Core, s: CoreSpace, f: SnapshotEnd): void {
  const stage = coming(s, f);
  stage.ended = true;
  stage.cursor = f.cursor;
  stage.until = Math.max(f.cursor.seq, f.newest);
  s.head = Math.max(s.head, stage.until);
  c.stats.snapshots++;
  finishStage(c, s);
}

/**
 * Puts the new state in the place of the old one when it is whole: records, cursor
 * and what leaves the queue with it, in one batch.
 */
export function finishStage(c: Core, s: CoreSpace): void {
  const { stage } = s;
  if (!stage || !stage.ended || stage.cursor.seq < stage.until) return;
  s.stage = undefined;
  const old = new Map<string, Rec>();
  for (const records of s.view.records.values()) for (const record of records.values()) old.set(keyText(record), record);
  for (const [text, record] of old) {
    if (!alive(stage.records.get(text))) {
      s.changedRecords.add(text);
      s.view.set(record, undefined, text);
    }
  }
  for (const [text, record] of stage.records) {
    const before = old.get(text);
    if (before && sameState(before, record)) continue;
    s.changedRecords.add(text);
    s.view.set(record, record, text);
  }
  s.cursor = stage.cursor;
  if (s.rebase) {
    leave(s);
    rebaseQueue(c, s, old);
  }
  for (const text of s.view.touched()) s.view.refresh(text);
  moved(c, s);
}
