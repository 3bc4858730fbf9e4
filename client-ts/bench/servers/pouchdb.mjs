// PouchDB's own server (express-pouchdb) with databases in memory, on a free
// port. It serves the page too: another origin would cost it a request more for
// each of its requests.
import express from "express";
import expressPouchDB from "express-pouchdb";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import memory from "pouchdb-adapter-memory";
import PouchDB from "pouchdb-core";
import mapReduce from "pouchdb-mapreduce";

const home = mkdtempSync(join(tmpdir(), "tidegate-bench-pouchdb-"));
process.on("exit", () => rmSync(home, { recursive: true, force: true }));
process.on("SIGTERM", () => process.exit());

const app = express();
app.use("/page", express.static(process.argv[2]));
app.use(
  expressPouchDB(PouchDB.plugin(memory).plugin(mapReduce).defaults({ adapter: "memory" }), {
    mode: "minimumForPouchDB",
    configPath: join(home, "config.json"),
    logPath: join(home, "log.txt"),
  }),
);
const server = app.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
