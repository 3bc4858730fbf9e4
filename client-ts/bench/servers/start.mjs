// The servers, each a process of its own, on free ports of 127.0.0.1.
import { execFileSync, spawn } from "node:child_process";
import { createReadStream, existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));

async function start(command, args, cwd) {
  const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.on("data", (data) => (said += data));
  const port = await new Promise((resolve, reject) => {
    let out = "";
    child.stdout.on("data", (data) => {
      const listening = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec((out += data));
      if (listening) resolve(Number(listening[1]));
    });
    child.on("exit", (code) => reject(new Error(`${command} ${args.join(" ")} ended with ${code}:\n${said}`)));
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  return {
    port,
    async end() {
      child.kill();
      await ended;
    },
  };
}

/** The gateway, built from this repository unless $TIDEGATE names one, with a store on disk as it comes. */
export async function tidegate() {
  const home = mkdtempSync(join(tmpdir(), "tidegate-bench-"));
  const program = process.env.TIDEGATE ?? join(home, "tidegate");
  if (!process.env.TIDEGATE) execFileSync("go", ["build", "-o", program, "."], { cwd: join(here, "../../.."), stdio: "inherit" });
  const gateway = await start(program, ["serve", "--listen", "127.0.0.1:0", "--store", "file:bench.db", "--allow-origin", "http://127.0.0.1:*", "--limit-connect-rate", "0"], home);
  return { port: gateway.port, end: () => gateway.end().then(() => rmSync(home, { recursive: true, force: true })) };
}

export const yjs = () => start(process.execPath, [join(here, "yjs.mjs")]);
export const pouchdb = (pages) => start(process.execPath, [join(here, "pouchdb.mjs"), pages]);

/** Serves a directory under /page/. */
export async function files(directory) {
  const types = { ".html": "text/html", ".js": "text/javascript" };
  const server = createServer((request, response) => {
    const file = join(directory, basename(new URL(request.url, "http://x").pathname));
    if (!existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: server.address().port, end: async () => void server.close() };
}
