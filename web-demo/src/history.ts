// The log of a space as the gateway tells it, and what a card looked like at each
// commit of it.
import type { Device } from "./device.js";
import type { Card } from "./rules.js";

/** One commit: see demolog.go in the gateway. */
export interface LogEntry {
  readonly seq: number;
  readonly time: number;
  readonly bytes: number;
  readonly mutations: readonly LogMutation[];
  readonly conflicts?: readonly LogConflict[];
}
export interface LogMutation {
  readonly user: string;
  readonly device: string;
  readonly base: number;
  readonly outcome: "applied" | "merged" | "superseded" | "conflict" | "rejected";
  readonly code?: string;
  readonly message?: string;
  readonly changes?: readonly LogChange[];
}
export interface LogChange {
  readonly collection: string;
  readonly id: string;
  readonly kind: "fields" | "create" | "delete" | "undelete";
  readonly fields?: readonly LogField[];
}
export interface LogField {
  readonly field: string;
  readonly kind: "put" | "unset" | "added" | "removed" | "kept" | "inserted" | "moved" | "set" | "taken";
  readonly value?: unknown;
  readonly element?: string;
}
export interface LogConflict {
  readonly collection: string;
  readonly id: string;
  readonly field: string;
  readonly open: boolean;
  readonly kept: string;
  readonly lost: string;
}

/** Asks the gateway for the newest commits: those after a seq, or those of one record. */
export async function readLog(device: Device, options: { after?: number; collection?: string; id?: string }): Promise<LogEntry[]> {
  const query = new URLSearchParams({ space: device.space.name });
  for (const [name, value] of Object.entries(options)) query.set(name, String(value));
  const response = await fetch(`/demo/log?${query}`);
  if (!response.ok) throw new Error(await response.text());
  return ((await response.json()) as { commits: LogEntry[] }).commits;
}

/** A card as one commit left it. */
export interface Version {
  readonly seq: number;
  readonly time: number;
  readonly user: string;
  readonly changes: readonly LogField[];
  readonly kind: LogChange["kind"];
  /** Its fields then; a set as an array. */
  readonly card: Readonly<Record<string, unknown>>;
}

/** Folds the commits of one card into its versions, oldest first. */
export function versionsOf(entries: readonly LogEntry[]): Version[] {
  const versions: Version[] = [];
  let card: Record<string, unknown> = {};
  for (const { seq, time, mutations } of entries) {
    for (const { user, changes = [] } of mutations) {
      for (const { kind, fields = [] } of changes) {
        card = kind === "fields" ? { ...card } : {};
        for (const { field, kind: what, value } of fields) {
          const elements = (card[field] ?? []) as unknown[];
          if (what === "put") card[field] = value;
          else if (what === "unset") delete card[field];
          else if (what === "added") card[field] = [...elements.filter((e) => e !== value), value];
          else if (what === "removed") card[field] = elements.filter((e) => e !== value);
        }
        // The gateway's own marks are not the user's.
        const changed = fields.filter((f) => !f.field.startsWith("_"));
        if (changed.length > 0 || kind !== "fields") versions.push({ seq, time, user, changes: changed, kind, card });
      }
    }
  }
  return versions;
}

/** Gives a card the fields of an earlier version: an edit like any other. Votes stay: they are everybody's. */
export function restore(device: Device, id: string, version: Version): void {
  const { card } = version;
  device.space.mutate((tx) => {
    if (!tx.get("demo-cards", id)) tx.undelete("demo-cards", id);
    tx.update("demo-cards", id, (draft) => {
      const was = card as Partial<Record<keyof Card, any>>;
      draft.title = was.title;
      draft.column = was.column;
      if (was.assignee === undefined) delete draft.assignee;
      else draft.assignee = was.assignee;
      if (was.estimate === undefined) delete draft.estimate;
      else draft.estimate = was.estimate;
      if (was.start === undefined) delete draft.start;
      else draft.start = was.start;
      if (was.end === undefined) delete draft.end;
      else draft.end = was.end;
      const labels = new Set<string>(was.labels ?? []);
      const set = draft.labels;
      for (const label of [...set]) if (!labels.has(label)) set.remove(label);
      for (const label of labels) if (!set.has(label)) set.add(label);
    });
  });
}
