// The pages of the job, and what a page downloads of each library: all that it
// needs to do the job, minified the same way.
import { build } from "esbuild";
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { minify } from "terser";
import { gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));

const options = { bundle: true, splitting: true, format: "esm", platform: "browser", target: "es2022", minify: true, legalComments: "none", metafile: true, write: false, define: { global: "globalThis" }, logLevel: "error" };

async function squeeze(text) {
  const { code } = await minify(text, { module: true, ecma: 2022, compress: { passes: 3, unsafe_arrows: true } });
  return Buffer.from(code);
}

/** Writes a directory with a page for each library: NAME.html. */
export async function pages(names, out) {
  const { outputFiles } = await build({ ...options, entryPoints: names.map((name) => join(here, `page/${name}.mjs`)), outdir: out });
  mkdirSync(out, { recursive: true });
  for (const { path, text } of outputFiles) writeFileSync(join(out, basename(path)), text);
  for (const name of names) writeFileSync(join(out, `${name}.html`), `<!doctype html><meta charset=utf-8><title>${name}</title><link rel=icon href=data:,><body><script type=module src=${name}.js></script>`);
}

/** Bytes of a library, minified and gzipped: {first, late}, late being loaded beside the page. */
export async function size(code) {
  const { outputFiles, metafile } = await build({ ...options, stdin: { contents: code, resolveDir: here }, outdir: "/out" });
  const gzipped = new Map();
  for (const { path, text } of outputFiles) gzipped.set(basename(path), gzipSync(await squeeze(text), { level: 9 }).length);
  const outputs = new Map(Object.entries(metafile.outputs).map(([path, output]) => [basename(path), output]));
  const first = new Set();
  const reach = (name) => {
    if (first.has(name)) return;
    first.add(name);
    for (const { path, kind } of outputs.get(name).imports) if (kind === "import-statement") reach(basename(path));
  };
  reach("stdin.js");
  const sum = (kept) => [...gzipped].reduce((n, [name, bytes]) => n + (kept(name) ? bytes : 0), 0);
  return { first: sum((name) => first.has(name)), late: sum((name) => !first.has(name)) };
}
