// Builds the page into gateway/demo, from where the gateway embeds it: code and
// style as one file each, named by a hash of what is in them; the page; the
// service worker; the rules of its collections; and compressed forms of them all.
//
//   node build.mjs            write gateway/demo
//   node build.mjs --check    compare instead: what is committed must be what the
//                             sources give, and small enough
//
// Compressed forms are compared by what is in them: versions of zlib differ in
// how they say it.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync, gzipSync } from "node:zlib";

const root = dirname(fileURLToPath(import.meta.url));
const out = join(root, "../gateway/demo");

/** What a first visit may download, in bytes, gzipped. */
const limit = 100_000;

const forms = {
  ".br": { pack: (data) => brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: data.length } }), unpack: brotliDecompressSync },
  ".gz": { pack: (data) => gzipSync(data, { level: 9 }), unpack: gunzipSync },
};

/** Bundles an entry in memory; returns its files by name. */
async function bundle(entry, options) {
  const result = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outdir: out,
    bundle: true,
    format: "esm",
    target: ["es2022", "chrome110", "firefox110", "safari16.4"],
    minify: true,
    legalComments: "none",
    jsx: "automatic",
    jsxImportSource: "preact",
    entryNames: "[name]-[hash]",
    chunkNames: "chunk-[hash]",
    splitting: true,
    write: false,
    logLevel: "warning",
    ...options,
  });
  return new Map(result.outputFiles.map((file) => [relative(out, file.path), Buffer.from(file.contents)]));
}

/** Puts a hash of the contents into a file's name. */
function named(name, data) {
  const extension = extname(name);
  return `${basename(name, extension)}-${createHash("sha256").update(data).digest("hex").slice(0, 8)}${extension}`;
}

/** Makes all files, by their names under gateway/demo. */
async function make() {
  const files = new Map([...(await bundle("src/app.tsx")), ...(await bundle("src/style/app.css"))]);
  const of = (extension) => [...files.keys()].find((name) => name.startsWith("app-") && name.endsWith(extension));
  const icon = readFileSync(join(root, "src/icon.svg"));
  const iconName = named("icon.svg", icon);
  const manifest = Buffer.from(readFileSync(join(root, "src/app.webmanifest"), "utf8").replace("ICON", `/demo/${iconName}`));
  const manifestName = named("app.webmanifest", manifest);
  files.set(iconName, icon).set(manifestName, manifest);
  const assets = [...files.keys()].sort();

  const page = readFileSync(join(root, "src/index.html"), "utf8")
    .replace("SCRIPT", `/demo/${of(".js")}`)
    .replace("STYLE", `/demo/${of(".css")}`)
    .replace("MANIFEST", `/demo/${manifestName}`)
    .replace("ICON", `/demo/${iconName}`);
  files.set("index.html", Buffer.from(page));
  const release = createHash("sha256").update(page).digest("hex").slice(0, 12);
  const worker = await bundle("src/worker.ts", {
    format: "iife",
    splitting: false,
    entryNames: "worker",
    define: { RELEASE: JSON.stringify(release), ASSETS: JSON.stringify(assets.map((name) => `/demo/${name}`)) },
  });
  for (const [name, data] of worker) files.set(name, data);
  const load = [...files.values()].reduce((sum, data) => sum + forms[".gz"].pack(data).length, 0);
  for (const name of readdirSync(join(root, "schema"))) files.set(`schema/${name}`, readFileSync(join(root, "schema", name)));
  return { files, load };
}

/** Whether a file is sent to browsers, and so needs its compressed forms. */
const isSent = (name) => !name.startsWith("schema/");

function write(files) {
  rmSync(out, { recursive: true, force: true });
  for (const [name, data] of files) {
    mkdirSync(dirname(join(out, name)), { recursive: true });
    writeFileSync(join(out, name), data);
    if (isSent(name)) for (const [suffix, { pack }] of Object.entries(forms)) writeFileSync(join(out, name + suffix), pack(data));
  }
}

/** Returns what of the committed files is not as it should be. */
function stale(files) {
  const wrong = [];
  const expected = new Set();
  for (const [name, data] of files) {
    for (const suffix of ["", ...(isSent(name) ? Object.keys(forms) : [])]) {
      expected.add(name + suffix);
      const path = join(out, name + suffix);
      const found = existsSync(path) ? readFileSync(path) : undefined;
      if (!found || !(suffix ? forms[suffix].unpack(found) : found).equals(data)) wrong.push(name + suffix);
    }
  }
  for (const entry of existsSync(out) ? readdirSync(out, { recursive: true, withFileTypes: true }) : []) {
    const name = relative(out, join(entry.parentPath ?? entry.path, entry.name));
    if (entry.isFile() && !expected.has(name)) wrong.push(name);
  }
  return wrong;
}

const { files, load } = await make();
console.log(`first load: ${load} B gz of ${limit}`);
if (load > limit) {
  console.error(`the page is too large: a first visit downloads ${load} B gz, ${limit} are allowed`);
  process.exitCode = 1;
}
if (!process.argv.includes("--check")) {
  write(files);
} else {
  const wrong = stale(files);
  if (wrong.length > 0) {
    console.error(`gateway/demo is not what web-demo gives; run: npm run build\n  ${wrong.join("\n  ")}`);
    process.exitCode = 1;
  }
}
