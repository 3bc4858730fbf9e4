import { useEffect, useRef, useState } from "preact/hooks";
import { columnsOf } from "../board.js";
import type { Column } from "../board.js";
import type { Device } from "../device.js";
import { readLog } from "../history.js";
import type { LogChange, LogEntry, LogField, LogMutation } from "../history.js";
import { clockText, fieldName, valueText } from "../words.js";
import { recordName } from "./inbox.js";

/** How many commits are shown. */
const shown = 80;

/** The log of the space while it grows. */
export function Log({ device }: { device: Device }) {
  const [entries, setEntries] = useState<readonly LogEntry[]>([]);
  const [problem, setProblem] = useState("");
  const newest = useRef(0);
  useEffect(() => {
    let asking = false;
    let over = false;
    const look = async () => {
      if (asking || over) return;
      asking = true;
      try {
        while (!over && (device.space.status?.head ?? 0) > newest.current) {
          const more = await readLog(device, { after: newest.current });
          const last = more.at(-1);
          if (over || !last) break;
          newest.current = last.seq;
          setEntries((before) => [...before, ...more].slice(-shown));
        }
        setProblem("");
      } catch {
        setProblem("The gateway does not answer.");
      }
      asking = false;
    };
    const stop = device.space.onStatus(() => void look());
    return () => {
      over = true;
      stop();
    };
  }, [device]);
  const columns = columnsOf(device.space);
  return (
    <section class="panel log" aria-label="Log">
      <h3>
        Log <span class="quiet">one order for everybody, as the gateway keeps it</span>
      </h3>
      {problem && <p class="quiet">{problem}</p>}
      <ol class="commits" data-testid="log" tabIndex={0} aria-label="Commits, newest first">
        {[...entries].reverse().map((entry) => (
          <li key={entry.seq}>
            <span class="seq">{entry.seq}</span>
            <div>
              {entry.mutations.map((mutation, n) => (
                <p key={n}>
                  <b>{mutation.user}</b> {mutationText(device, mutation, columns)}
                  {mutation.outcome !== "applied" && <em class={`outcome is-${mutation.outcome}`}>{mutation.outcome}</em>}
                </p>
              ))}
              {entry.conflicts?.map((conflict, n) => (
                <p key={n} class="quiet">
                  {conflict.open ? "asked" : "settled"}: {fieldName(conflict.field)} of {recordName(device, conflict.collection, conflict.id)}, {conflict.kept} before{" "}
                  {conflict.lost}
                </p>
              ))}
            </div>
            <time>{clockText(entry.time)}</time>
          </li>
        ))}
      </ol>
    </section>
  );
}

function mutationText(device: Device, mutation: LogMutation, columns: readonly Column[]): string {
  if (mutation.message) return mutation.message;
  // The gateway's own marks are not the user's; a place in the order goes without saying beside other edits.
  const isOurs = (change: LogChange) => change.collection.startsWith("_") || (change.kind === "fields" && change.fields?.every((f) => f.field.startsWith("_")));
  const changes = (mutation.changes ?? []).filter((change) => !isOurs(change));
  const telling = changes.filter((change) => !change.fields?.every((f) => f.field === "order") || change.kind !== "fields");
  if (changes.length > 0 && telling.length === 0) return "sorted the cards";
  return telling.map((change) => changeText(device, change, columns)).join(", ") || (mutation.outcome === "conflict" ? "asks" : "changed nothing");
}

function changeText(device: Device, { collection, id, kind, fields = [] }: LogChange, columns: readonly Column[]): string {
  const name = recordName(device, collection, id);
  if (kind === "create") return `made ${name}`;
  if (kind === "delete") return `deleted ${name}`;
  if (kind === "undelete") return `brought back ${name}`;
  const edits = fields.filter((f) => !f.field.startsWith("_")).map((f) => fieldText(f, columns));
  return `${edits.join(", ")} in ${name}`;
}

/** A change of a field, in words. */
export function fieldText({ field, kind, value }: LogField, columns: readonly Column[]): string {
  const name = fieldName(field).toLowerCase();
  switch (kind) {
    case "put":
      return `${name} → ${valueText(field, value, columns)}`;
    case "unset":
      return `no ${name}`;
    case "added":
      return `+ ${String(value)}`;
    case "removed":
      return `− ${String(value)}`;
    case "kept":
      return `${String(value)} stays`;
    case "inserted":
      return `${name} + ${String(value)}`;
    case "moved":
      return `${name} moved`;
    case "set":
      return `${name} → ${String(value)}`;
    case "taken":
      return `${name} removed`;
  }
}
