// What keeping queries up to date costs: node bench/query.mjs
import { build } from "esbuild";

const { outputFiles } = await build({ entryPoints: ["src/query/index.ts"], bundle: true, format: "esm", write: false });
const { createTable } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);

const n = 10_000;
const columns = 50;
const rows = new Map();
const card = (i, version) => ({ id: `c${String(i).padStart(5, "0")}`, title: `Card ${(i * 7919) % n}`, column: `k${i % columns}`, votes: i % 17, labels: ["red"], version });
for (let i = 0; i < n; i++) rows.set(card(i, 0).id, card(i, 0));
const table = createTable({ ids: () => rows.keys(), row: (id) => rows.get(id) });

function time(what, times, run) {
  const taken = [];
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    run(i);
    taken.push(performance.now() - start);
  }
  taken.sort((a, b) => a - b);
  const at = (p) => taken[Math.min(times - 1, Math.floor(times * p))].toFixed(3);
  console.log(`${what.padEnd(64)} p50 ${at(0.5)} ms   p95 ${at(0.95)} ms   max ${taken.at(-1).toFixed(3)} ms`);
}

const edit = (i, version) => {
  const next = card((i * 31) % n, version);
  rows.set(next.id, next);
  table.changed([next.id]);
};

let heard = 0;
time("first query of 10,000 rows: filter, order by title", 1, () => table.query({ orderBy: { title: "asc" } }).get());
const stops = [];
const follow = (options) => stops.push(table.query(options).subscribe(() => heard++));
follow({ orderBy: { title: "asc" } });
time("one edit, one query of all rows by title", 1000, (i) => edit(i, i + 1));
follow({ where: { votes: { gt: 3 } }, orderBy: { votes: "desc", title: "asc" }, limit: 50 });
time("one edit, and another query with a limit", 1000, (i) => edit(i, i + 2000));
time("50 columns, each a query that is asked first", columns, (i) => follow({ where: { column: `k${i}` }, orderBy: { title: "asc" } }));
time("one edit, 52 queries", 1000, (i) => edit(i, i + 4000));
time("1,000 edits at once, 52 queries", 20, (round) => {
  const ids = [];
  for (let i = 0; i < 1000; i++) {
    const next = card((i * 7) % n, round + 9000);
    rows.set(next.id, next);
    ids.push(next.id);
  }
  table.changed(ids);
});
for (const stop of stops) stop();
time("column by the index, asked anew", 200, (i) => table.query({ where: { column: `k${i % columns}` } }).get());
time("the same without an index (a function)", 200, (i) => table.query({ where: (row) => row.column === `k${i % columns}` }).get());
console.log(`${heard} results were told`);
