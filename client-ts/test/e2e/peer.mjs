// Bundles peer.ts and runs it: Node does not read TypeScript.
import { build } from "esbuild";
import { mkdtempSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
// Inside the package, so that its packages are found.
const dir = mkdtempSync(join(here, "../../node_modules/.peer-"));
process.on("exit", () => rmSync(dir, { recursive: true, force: true }));
const outfile = join(dir, "peer.mjs");
await build({ entryPoints: [join(here, "peer.ts")], bundle: true, format: "esm", platform: "node", packages: "external", outfile, logLevel: "warning" });
await import(pathToFileURL(outfile).href);
