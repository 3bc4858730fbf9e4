// Measures the client in a real browser against a real gateway, and Yjs and
// PouchDB at the same job in the same run. See README.md.
//
//   node bench/run.mjs [--rows 10000] [--edits 1000] [--rounds 5] [--only tidegate,yjs,pouchdb] [--snapshots-only]
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { pages, size } from "./bundle.mjs";
import { file, markdown } from "./report.mjs";
import * as servers from "./servers/start.mjs";
import { Wire } from "./wire.mjs";

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "10000" },
    edits: { type: "string", default: "1000" },
    rounds: { type: "string", default: "5" },
    only: { type: "string", default: "tidegate,yjs" },
    "snapshots-only": { type: "boolean", default: false },
  },
});
const [rows, edits, rounds] = [values.rows, values.edits, values.rounds].map(Number);
const names = values.only.split(",");

const code = {
  tidegate: 'export { createClient, indexedDBStore } from "../src/index.ts"',
  yjs: 'export { Doc, Map } from "yjs"; export { WebsocketProvider } from "y-websocket"; export { IndexeddbPersistence } from "y-indexeddb"',
  pouchdb: 'export { default } from "pouchdb-browser"',
};

const executablePath = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path));
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** A device: a page in a context of its own, whose traffic is counted. */
class Device {
  static async make(browser, library) {
    const device = new Device();
    device.wire = await Wire.to(library.server.port);
    device.context = await browser.newContext();
    device.page = await device.context.newPage();
    device.page.setDefaultTimeout(0);
    device.page.on("pageerror", (error) => console.error(`${library.name}: ${error}`));
    // PouchDB's server has the page, so that its requests need no leave of another origin.
    const from = library.name === "pouchdb" ? device.wire.url : library.files;
    await device.page.goto(`${from}/page/${library.name}.html`);
    await device.page.waitForFunction(() => globalThis.bench);
    device.cdp = await device.context.newCDPSession(device.page);
    await device.cdp.send("Performance.enable", { timeDomain: "threadTicks" });
    await device.wire.quiet();
    device.wire.reset();
    return device;
  }

  call(method, ...args) {
    return this.page.evaluate(([method, args]) => globalThis.bench[method](...args), [method, args]);
  }

  open(space, n) {
    return this.call("open", this.wire.url, space, n);
  }

  /** Milliseconds of processor time that the page's main thread has taken: what else the machine has to do is not in it. */
  async worked() {
    const { metrics } = await this.cdp.send("Performance.getMetrics");
    return metrics.find((metric) => metric.name === "TaskDuration").value * 1000;
  }

  /** Bytes in use on the heap, and beside it in array buffers and the like, garbage collected. */
  async memory() {
    await this.cdp.send("HeapProfiler.collectGarbage");
    const { usedSize, backingStorageSize = 0 } = await this.cdp.send("Runtime.getHeapUsage");
    return { heap: usedSize, buffers: backingStorageSize };
  }

  async end() {
    await this.context.close();
    this.wire.end();
  }
}

/** Makes the rows that the others load. */
async function seed(browser, library) {
  const device = await Device.make(browser, library);
  await device.open("large", 0);
  await device.call("seed", rows);
  await device.call("drained");
  await device.wire.quiet();
  await device.end();
}

/** Opens the large space as a device that has nothing; `then` gets the device. */
async function snapshot(browser, library, then) {
  const device = await Device.make(browser, library);
  const before = await device.memory();
  const workedBefore = await device.worked();
  const opened = await device.open("large", rows);
  opened.worked = (await device.worked()) - workedBefore;
  await device.wire.quiet();
  opened.workedInAll = (await device.worked()) - workedBefore;
  const after = await device.memory();
  Object.assign(opened, { up: device.wire.up, down: device.wire.down, heap: after.heap - before.heap, buffers: after.buffers - before.buffers });
  await then?.(device);
  // The same device again, from what its browser has stored: give it time to do so.
  await device.wire.quiet(3000);
  await device.page.reload();
  await device.page.waitForFunction(() => globalThis.bench);
  const workedAgain = await device.worked();
  const again = await device.open("large", rows);
  opened.reload = again.total;
  opened.reloadWorked = (await device.worked()) - workedAgain;
  if (again.said?.snapshots) console.error(`${library.name}: opened again, it was sent everything again`);
  await device.end();
  return opened;
}

/** What a user who types waits for, with all rows loaded and shown. */
async function typing(device) {
  const edited = await device.call("edit", edits, rows, 0, "large");
  const keys = device.call("typed", 200, "card-00042");
  await device.page.locator("input").waitFor();
  await device.page.keyboard.type("tidegate".repeat(25), { delay: 10 });
  return { edited: edited.taken, keys: await keys };
}

/** One device edits 100 cards, another follows. */
async function job(browser, library, pause) {
  const space = `small-${pause}`;
  const [writer, reader] = await Promise.all([Device.make(browser, library), Device.make(browser, library)]);
  await writer.open(space, 0);
  await writer.call("seed", 100);
  await reader.open(space, 100);
  await writer.call("drained");
  await Promise.all([writer.wire.quiet(), reader.wire.quiet()]);
  for (const { wire } of [writer, reader]) wire.reset();
  const worked = await Promise.all([writer.worked(), reader.worked()]);
  const following = reader.call("follow", edits, 100, "small");
  const { started, ended, taken } = await writer.call("edit", edits, 100, pause, "small");
  const reached = await following;
  await writer.call("drained");
  await Promise.all([writer.wire.quiet(), reader.wire.quiet()]);
  const done = {
    taken,
    edited: ended - started,
    all: reached - started,
    after: reached - ended,
    writer: { up: writer.wire.up, down: writer.wire.down, worked: (await writer.worked()) - worked[0] },
    reader: { up: reader.wire.up, down: reader.wire.down, worked: (await reader.worked()) - worked[1] },
  };
  await Promise.all([writer.end(), reader.end()]);
  return done;
}

const out = mkdtempSync(join(tmpdir(), "tidegate-bench-pages-"));
const started = [];
let browser;
try {
  await pages(names, out);
  const files = await servers.files(out);
  started.push(files);
  const libraries = [];
  for (const name of names) {
    const server = await servers[name](out);
    started.push(server);
    libraries.push({ name, server, files: `http://127.0.0.1:${files.port}`, result: { size: await size(code[name]), snapshots: [] } });
  }
  browser = await chromium.launch({ executablePath, args: flags });
  const results = { rows, edits, rounds, libraries: Object.fromEntries(libraries.map(({ name, result }) => [name, result])) };
  // One after the other in each step, so that all have the same neighbours.
  const step = async (what, run) => {
    for (const library of libraries) {
      const start = performance.now();
      await run(library, library.result);
      writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`);
      console.error(`${what}: ${library.name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
    }
  };
  if (!values["snapshots-only"]) await step("job, at once", async (library, result) => void (result.burst = await job(browser, library, 0)));
  if (!values["snapshots-only"]) await step("job, 10 ms apart", async (library, result) => {
    // PouchDB's page stops answering in this one: README.md.
    if (library.name !== "pouchdb") result.paced = await job(browser, library, 10);
  });
  for (let round = 1; round <= rounds; round++) {
    const last = round === rounds;
    await step(`snapshot ${round}`, async (library, result) => {
      // Once will do for PouchDB: it takes much longer than the others.
      if (library.name === "pouchdb" && !last) return;
      if (library.result.snapshots.length === 0) await seed(browser, library);
      result.snapshots.push(await snapshot(browser, library, last ? async (device) => void (result.typing = await typing(device)) : undefined));
    });
  }
  console.log(markdown(results));
} finally {
  await browser?.close();
  for (const server of started) await server.end();
  rmSync(out, { recursive: true, force: true });
}
