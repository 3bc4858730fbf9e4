// Tables of what was measured: node bench/report.mjs prints those of the last run.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Where a run leaves its figures. */
export const file = fileURLToPath(new URL("results.json", import.meta.url));

const sorted = (numbers) => [...numbers].sort((a, b) => a - b);
const at = (numbers, p) => sorted(numbers)[Math.min(numbers.length - 1, Math.floor(numbers.length * p))];
const median = (numbers) => at(numbers, 0.5);

const ms = (n) => `${n < 10 ? n.toFixed(2) : Math.round(n).toLocaleString("en")} ms`;
const kB = (n) => `${(n / 1000).toLocaleString("en", { maximumFractionDigits: n < 100_000 ? 1 : 0 })} kB`;
const MB = (n) => `${(n / 1e6).toFixed(1)} MB`;
const spread = (numbers) => [0.5, 0.95, 1].map((p) => at(numbers, p).toFixed(2)).join(" / ") + " ms";

const titles = { tidegate: "Tidegate", yjs: "Yjs", pouchdb: "PouchDB" };

/** What was measured, undefined if it was not. */
function measured(number, of) {
  try {
    return number(of);
  } catch {
    return undefined;
  }
}

/** A row for each measure; behind each other library's figure, how many times Tidegate's it is. */
function table(libraries, measures) {
  const names = Object.keys(libraries);
  const lines = [`| | ${names.map((name) => titles[name]).join(" | ")} |`, `|---|${"---:|".repeat(names.length)}`];
  for (const [what, number, show] of measures) {
    const own = measured(number, libraries.tidegate);
    const cells = names.map((name) => {
      const n = measured(number, libraries[name]);
      if (n === undefined || Number.isNaN(n)) return "–";
      const text = show(n, libraries[name]);
      return name === "tidegate" || !own || !(n > 0) ? text : `${text} (${(n / own).toPrecision(2)} ×)`;
    });
    lines.push(`| ${what} | ${cells.join(" | ")} |`);
  }
  return lines.join("\n");
}

/** A run's tables. */
export function markdown({ rows, edits, rounds, libraries }) {
  const n = rows.toLocaleString("en");
  const of = (pick) => (l) => median(l.snapshots.map(pick));
  const byMedian = (pick) => [(l) => median(pick(l)), (_, l) => spread(pick(l))];
  const handled = (pick) => (l) => (l.snapshots[0].messages ? median(l.snapshots.map(pick)) : undefined);
  const total = (j) => j.writer.up + j.writer.down + j.reader.up + j.reader.down;
  const task = (pick) => [
    ["all edits are with the second device after", (l) => pick(l).all, ms],
    ["of this, after the last edit", (l) => pick(l).after, ms],
    ["an edit until the own view has it, p50 / p95 / max", ...byMedian((l) => pick(l).taken)],
    ["bytes on the wire, all four ways", (l) => total(pick(l)), kB],
    ["the writer's, up", (l) => pick(l).writer.up, kB],
    ["the writer's, down", (l) => pick(l).writer.down, kB],
    ["the reader's, up", (l) => pick(l).reader.up, kB],
    ["the reader's, down", (l) => pick(l).reader.down, kB],
    ["main thread, writer", (l) => pick(l).writer.worked, ms],
    ["main thread, reader", (l) => pick(l).reader.worked, ms],
  ];
  return `### ${n} rows: a first visit (medians of ${rounds} new browser profiles)

${table(libraries, [
  ["from connecting until all rows can be read", of((s) => s.total), ms],
  ["until the socket was open (code that loads late included)", handled((s) => s.untilOpen), ms],
  ["until the first message was there", handled((s) => s.untilFirstMessage), ms],
  ["main thread in the messages' handlers: decode, apply, make rows, sort", handled((s) => s.handling), ms],
  ["the longest handler", handled((s) => s.longestMessage), ms],
  ["main thread in all, until the rows can be read", of((s) => s.worked), ms],
  ["main thread in all, until everything is stored", of((s) => s.workedInAll), ms],
  ["longest task", of((s) => Math.max(0, ...s.longTasks)), ms],
  ["bytes on the wire, up and down", of((s) => s.up + s.down), kB],
  ["the same device, opened again from its store", of((s) => s.reload), ms],
  ["main thread for that", of((s) => s.reloadWorked), ms],
  ["heap with the rows, beyond the bare page's", of((s) => s.heap), MB],
  ["buffers beside the heap", of((s) => s.buffers), MB],
])}

### ${n} rows loaded: a keystroke

${table(libraries, [
  ["an edit until the own view has it, p50 / p95 / max", ...byMedian((l) => l.typing.edited)],
  ["typed keys, from their handler", ...byMedian((l) => l.typing.keys.map((k) => k.fromHandler))],
  ["typed keys, from the key itself", ...byMedian((l) => l.typing.keys.map((k) => k.fromKey))],
])}

### ${edits.toLocaleString("en")} edits of one field on 100 cards, as fast as the own view follows

${table(libraries, task((l) => l.burst))}

### The same with 10 ms between the edits

${table(libraries, task((l) => l.paced))}

### What a page downloads, minified and gzipped

${table(libraries, [
  ["before it can show anything", (l) => l.size.first, kB],
  ["beside the page", (l) => l.size.late, kB],
  ["in all", (l) => l.size.first + l.size.late, kB],
])}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(markdown(JSON.parse(readFileSync(file, "utf8"))));
