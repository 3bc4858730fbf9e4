// Many entries as a few values: an entry of its own costs a browser's database
// many times what its bytes do.
import { StoreError } from "./store.js";
import type { Entry } from "./store.js";

/** About how many bytes a pack has. */
const packBytes = 1 << 16;

/** Orders keys by their bytes. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/** What becomes of a key: its entry, or undefined if that is removed. */
export interface Change {
  readonly key: Uint8Array;
  readonly entry: Entry | undefined;
}

/** Entries with changes on top; both, and the result, in the order of their keys. */
export function overlay(entries: readonly Entry[], changes: readonly Change[]): Entry[] {
  const merged: Entry[] = [];
  let next = 0;
  for (const { key, entry: put } of changes) {
    for (let order = -1; next < entries.length; next++) {
      const entry = entries[next]!;
      if ((order = compareBytes(entry.key, key)) < 0) merged.push(entry);
      else {
        if (order === 0) next++;
        break;
      }
    }
    if (put) merged.push(put);
  }
  for (; next < entries.length; next++) merged.push(entries[next]!);
  return merged;
}

/** A pack of the first of these entries from the one at `from` on, and where the next begins. */
export function pack(entries: readonly Entry[], from: number): { readonly data: Uint8Array<ArrayBuffer>; readonly next: number } {
  const parts: Uint8Array[] = [];
  let size = 0;
  let next = from;
  for (; next < entries.length && (size < packBytes || next === from); next++) {
    const { key, value } = entries[next]!;
    parts.push(key, value);
    size += 8 + key.length + value.length;
  }
  const data = new Uint8Array(size);
  const view = new DataView(data.buffer);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part.length);
    data.set(part, at + 4);
    at += 4 + part.length;
  }
  return { data, next };
}

/** Appends the entries of a pack to a list, as views into it. */
export function unpack(data: Uint8Array, into: Entry[]): void {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  let at = 0;
  const part = () => {
    const from = at + 4;
    const to = from <= data.length ? from + view.getUint32(at) : Infinity;
    if (to > data.length) throw new StoreError("corrupt", "a pack of the store's entries is cut off");
    return data.subarray(from, (at = to));
  };
  while (at < data.length) into.push({ key: part(), value: part() });
}
