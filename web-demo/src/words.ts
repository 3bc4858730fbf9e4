// Fields and values as people say them.
import type { Column } from "./board.js";

const names: Record<string, string> = {
  title: "Title",
  column: "Column",
  labels: "Labels",
  votes: "Votes",
  start: "Start",
  end: "End",
  assignee: "Assignee",
  estimate: "Estimate",
  columns: "Column",
  order: "Order",
};

/** A field's name. */
export function fieldName(field: string): string {
  return names[field] ?? field;
}

const hours = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
const dateAndTime = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", ...hours });
const exactTime = new Intl.DateTimeFormat(undefined, { ...hours, second: "2-digit" });

/** A value of a field, for reading. */
export function valueText(field: string, value: unknown, columns: readonly Column[] = []): string {
  if (value === undefined || value === null || value === "") return "nothing";
  if (field === "column") return columns.find((column) => column.id === value)?.title ?? "a column that is gone";
  if (field === "start" || field === "end") return timeText(String(value));
  if (Array.isArray(value)) return value.map((v) => valueText("", v)).join(", ") || "nothing";
  if (typeof value === "object") return Object.entries(value).map(([name, v]) => `${fieldName(name)}: ${valueText(name, v, columns)}`).join("; ");
  return String(value);
}

export function timeText(iso: string): string {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? iso : dateAndTime.format(time);
}

/** A span of time: what both ends share is said once. */
export function spanText(start: string | undefined, end: string | undefined): string {
  if (start && end) {
    const [from, to] = [new Date(start), new Date(end)];
    // An end before its start is refused by the gateway, but shown until then.
    if (from > to) return `${timeText(start)} – ${timeText(end)}`;
    return Number.isNaN(from.getTime() + to.getTime()) ? `${start} – ${end}` : dateAndTime.formatRange(from, to);
  }
  return start ? `from ${timeText(start)}` : end ? `until ${timeText(end)}` : "";
}

export function clockText(ms: number): string {
  return exactTime.format(new Date(ms));
}

/** Bytes with a unit. */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Milliseconds with a unit. */
export function durationText(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** The time that an input of type datetime-local shows for a moment. */
export function toInput(iso: string | undefined): string {
  if (!iso) return "";
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return "";
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** The moment that such an input means; undefined if it is empty. */
export function fromInput(text: string): string | undefined {
  const time = new Date(text);
  return text === "" || Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

/** One or many. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}
