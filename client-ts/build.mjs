// Builds dist/: one minified ES module for each entry of package.json's
// exports, chunks for what the entries share or load late, and declarations.
//
//   node build.mjs            write dist/
//   node build.mjs --check    build beside it and compare: dist/ is committed,
//                             and must be what its sources give
//   node build.mjs --size     only print what a page downloads
//
// The sizes are those of whole downloads: an entry with every chunk that it
// imports statically, minified and gzipped.
import { build } from "esbuild";
import { minify } from "terser";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, "dist");

/** The entries, by the name of the file in dist/. */
export const entries = {
  index: "src/index.ts",
  schema: "src/schema/index.ts",
  react: "src/react/index.ts",
  undo: "src/undo/index.ts",
  engine: "src/local.ts",
  sqlite: "src/store/sqlite.ts",
};

/**
 * Bundles some entries in memory; gives esbuild's result. terser goes over what
 * esbuild made: it finds another 4 % of what a page downloads.
 */
export async function bundle(points = entries) {
  const result = await build({
    absWorkingDir: root,
    entryPoints: Object.entries(points).map(([out, file]) => ({ out, in: join(root, file) })),
    outdir: dist,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    target: "es2022",
    minify: true,
    legalComments: "none",
    chunkNames: "chunk-[hash]",
    external: ["react"],
    metafile: true,
    write: false,
    logLevel: "warning",
  });
  result.outputFiles = await Promise.all(
    result.outputFiles.map(async ({ path, text }) => {
      const { code } = await minify(text, { module: true, ecma: 2022, compress: { passes: 3, unsafe_arrows: true } });
      return { path, contents: Buffer.from(code) };
    }),
  );
  return result;
}

/** What each entry costs a page, in bytes: {raw, gzip, lazy}, lazy being the gzipped chunks loaded on demand. */
export function sizes(result) {
  const contents = new Map(result.outputFiles.map((f) => [relative(root, f.path).split(sep).join("/"), f.contents]));
  const outputs = result.metafile.outputs;
  const reach = (name, kinds, seen) => {
    if (seen.has(name)) return seen;
    seen.add(name);
    for (const i of outputs[name].imports) if (!i.external && kinds.includes(i.kind)) reach(i.path, kinds, seen);
    return seen;
  };
  const gzip = (names) => [...names].reduce((n, name) => n + gzipSync(contents.get(name), { level: 9 }).length, 0);
  const sized = {};
  for (const [name, output] of Object.entries(outputs)) {
    if (!output.entryPoint || name.includes("/chunk-")) continue;
    const now = reach(name, ["import-statement"], new Set());
    const all = reach(name, ["import-statement", "dynamic-import"], new Set());
    sized[name.replace(/^dist\/|\.js$/g, "")] = {
      raw: [...now].reduce((n, f) => n + contents.get(f).length, 0),
      gzip: gzip(now),
      lazy: gzip(all) - gzip(now),
    };
  }
  return sized;
}

function declarations(out) {
  execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.build.json", "--outDir", out], {
    cwd: root,
    stdio: "inherit",
  });
}

function files(dir) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .map((e) => relative(dir, join(e.parentPath ?? e.path, e.name)))
    .sort();
}

function write(result, out) {
  for (const f of result.outputFiles) {
    const path = join(out, relative(dist, f.path));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, f.contents);
  }
  declarations(out);
}

async function main(args) {
  // An entry that has no source yet is left out; the check of the exports finds it.
  const there = Object.fromEntries(Object.entries(entries).filter(([, f]) => existsSync(join(root, f))));
  const result = await bundle(there);
  for (const [name, s] of Object.entries(sizes(result))) {
    console.log(`${name.padEnd(8)} ${String(s.raw).padStart(7)} B  ${String(s.gzip).padStart(6)} B gz  ${s.lazy ? `+ ${s.lazy} B gz on demand` : ""}`);
  }
  if (args.includes("--size")) return 0;
  if (!args.includes("--check")) {
    rmSync(dist, { recursive: true, force: true });
    write(result, dist);
    return 0;
  }
  const fresh = mkdtempSync(join(tmpdir(), "tidegate-dist-"));
  try {
    write(result, fresh);
    const names = [...new Set([...files(dist), ...files(fresh)])];
    const stale = names.filter((n) => {
      const [a, b] = [join(dist, n), join(fresh, n)];
      return !existsSync(a) || !existsSync(b) || !readFileSync(a).equals(readFileSync(b));
    });
    if (stale.length === 0) return 0;
    console.error(`dist/ is not what its sources give; run: npm run build\n  ${stale.join("\n  ")}`);
    return 1;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.slice(2));
