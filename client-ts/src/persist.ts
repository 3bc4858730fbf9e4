import type { Core, CoreSpace } from "./core.js";
import {
  clientKey, conflictKey, encodeClient, encodeConflict, encodePending, encodeRecord, encodeRejected, encodeSpace, encodeTab, keyBytes,
  namesKey, pendingKey, recordKeys, rejectedKey, savedNames, spaceKey, tabKey,
} from "./layout.js";
import { alive } from "./merge/index.js";
import type { Rec } from "./merge/index.js";
import type { Conflict, Cursor, DeviceID } from "./protocol/index.js";
import { markSent } from "./push.js";
import { tellLocal } from "./queue.js";
import type { Pending } from "./queue.js";
import type { RejectedEntry } from "./rejected.js";
import type { Batch, Entry } from "./store/store.js";
import { keyOf } from "./watch.js";

/** The batch in flight, and what will be durable with it. */
export interface Written {
  readonly token: number;
  readonly pending: readonly StoredPending[];
  readonly spaces: readonly SpaceMark[];
}

/** A mutation in the generation in which it was stored. */
export interface StoredPending {
  readonly p: Pending;
  readonly generation: number;
}

/** What of a space a batch makes durable. */
interface SpaceMark {
  readonly space: CoreSpace;
  readonly epoch: number;
  readonly device: DeviceID;
  readonly cursor: Cursor;
  readonly sent: number;
  /** The rejections whose payload is in this batch or an earlier one. */
  readonly confirm: readonly number[];
}

export function savePending(s: CoreSpace, p: Pending): void {
  p.generation++;
  p.durable = false;
  s.entries.set(pendingKey(s, p), encodePending(p));
  s.queued.push({ p, generation: p.generation });
}

export function dropPending(s: CoreSpace, p: Pending): void {
  s.entries.set(pendingKey(s, p), undefined);
}

export function saveRejected(s: CoreSpace, e: RejectedEntry): void {
  s.entries.set(rejectedKey(s, e), encodeRejected(e));
}

export function dropRejected(s: CoreSpace, e: RejectedEntry): void {
  s.entries.set(rejectedKey(s, e), undefined);
}

export function saveConflict(s: CoreSpace, c: Conflict): void {
  s.entries.set(conflictKey(s, c), encodeConflict(c));
}

export function dropConflict(s: CoreSpace, c: Conflict): void {
  s.entries.set(conflictKey(s, c), undefined);
}

/**
 * A record's entry, made when the store asks for it: of a snapshot there are
 * thousands, which a page is to show before it stores them. Records do not change,
 * so it is what it was when the batch was cut.
 */
class RecordEntry implements Entry {
  #key: Uint8Array | undefined;

  constructor(
    readonly text: string,
    readonly record: Rec,
  ) {}

  get key(): Uint8Array {
    return (this.#key ??= keyBytes(this.text));
  }
  get value(): Uint8Array {
    return encodeRecord(this.record);
  }
}

/** What a batch does to an entry; undefined deletes it. */
type Change = Uint8Array | Rec | undefined;

/** After this long nobody sends a tab's mutations again. */
const tabsFor = 24 * 3_600_000;

/**
 * Takes everything that is unsaved into one batch, unless one is in flight. It is
 * called between inputs only, so a batch always holds whole messages and whole
 * mutations, and the store is always in a state that the client was in.
 */
export function cut(c: Core): Batch | undefined {
  if (c.written) return undefined;
  const puts = new Map<string, Change>();
  const pending: StoredPending[] = [];
  const spaces: SpaceMark[] = [];
  if (c.isNew) {
    c.isNew = false;
    puts.set(clientKey, encodeClient(c));
  }
  for (const tab of c.changedTabs) puts.set(tabKey(tab), encodeTab(c.tabs.get(tab)!));
  if (c.changedTabs.size > 0) {
    c.changedTabs.clear();
    for (const [tab, { at }] of c.tabs) {
      if (at < c.now - tabsFor) {
        c.tabs.delete(tab);
        puts.set(tabKey(tab), undefined);
      }
    }
  }
  for (const s of c.sorted) {
    markSent(c, s);
    if (!cutSpace(s, puts)) continue;
    spaces.push({ space: s, epoch: s.epoch, device: s.device, cursor: s.cursor, sent: s.sent, confirm: s.confirmLater });
    s.confirmLater = [];
    pending.push(...s.queued);
    s.queued = [];
  }
  if (puts.size === 0) return undefined;
  c.written = { token: ++c.batches, pending, spaces };
  const batch = { token: c.batches, puts: [] as Entry[], deletes: [] as Uint8Array[] };
  for (const key of [...puts.keys()].sort()) {
    const value = puts.get(key);
    if (!value) batch.deletes.push(keyBytes(key));
    else batch.puts.push(value instanceof Uint8Array ? { key: keyBytes(key), value } : new RecordEntry(key, value));
  }
  return batch;
}

/** Moves what is unsaved of a space into puts and says whether there was anything. */
function cutSpace(s: CoreSpace, puts: Map<string, Change>): boolean {
  if (!s.changedMeta && !s.namesChanged && s.changedRecords.size === 0 && s.entries.size === 0) return false;
  if (s.changedMeta) puts.set(spaceKey(s), encodeSpace(s));
  if (s.namesChanged) {
    const names = savedNames(s);
    if (names.text !== s.namesSaved) puts.set(namesKey(s), names.value);
    s.namesSaved = names.text;
  }
  const recordKey = recordKeys(s);
  for (const text of s.changedRecords) {
    const key = keyOf(text);
    const record = s.view.confirmed(key);
    puts.set(recordKey(key), alive(record) ? record : undefined);
  }
  for (const [key, value] of s.entries) puts.set(key, value);
  s.changedMeta = s.namesChanged = false;
  s.changedRecords.clear();
  s.entries.clear();
  return true;
}

/** The batch with the token is durable. What waited for it is in the next Ready. */
export function persisted(c: Core, now: number, token: number): void {
  c.tick(now);
  const done = c.written;
  if (done?.token !== token) return;
  c.written = undefined;
  for (const { space: s, epoch, device, cursor, sent, confirm } of done.spaces) {
    if (epoch === s.epoch) s.durable = cursor;
    if (device === s.device) {
      s.durableSent = sent;
      s.confirm.push(...confirm);
    }
  }
  for (const { p, generation } of done.pending) {
    if (p.generation === generation) p.durable = true;
    tellLocal(c, p);
  }
  c.advance();
}

/** Everything that the store has to have, as entries: what a new store would need to go on from here. */
export function allEntries(c: Core): Entry[] {
  const entries: Entry[] = [];
  const put = (key: string, value: Uint8Array | undefined) => value && entries.push({ key: keyBytes(key), value });
  put(clientKey, encodeClient(c));
  for (const s of c.sorted) {
    put(spaceKey(s), encodeSpace(s));
    put(namesKey(s), savedNames(s).value);
    const recordKey = recordKeys(s);
    for (const records of s.view.records.values()) for (const record of records.values()) put(recordKey(record), encodeRecord(record));
    for (const p of [...s.leaving, ...s.queue]) put(pendingKey(s, p), encodePending(p));
    for (const e of s.rejected) put(rejectedKey(s, e), encodeRejected(e));
    for (const conflict of s.conflicts) put(conflictKey(s, conflict), encodeConflict(conflict));
  }
  return entries;
}
