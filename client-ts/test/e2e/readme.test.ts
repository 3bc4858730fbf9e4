// Runs what the README shows, as it stands there, and compares what it prints.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { Gateway, missing } from "./gateway.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");

/** The only block of that language. */
function block(language: string): string {
  const found = [...readme.matchAll(new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``, "g"))];
  expect(found.length, `blocks of ${language}`).toBe(1);
  return found[0]?.[1] as string;
}

if (missing && process.env["CI"]) throw new Error(missing);

test.skipIf(missing)("the example does what the README says", async () => {
  // Inside the package, so that its packages are found.
  const dir = mkdtempSync(join(root, "node_modules/.readme-"));
  const gateway = await Gateway.start("--store", "memory:", "--listen", "127.0.0.1:0");
  try {
    const address = "http://127.0.0.1:8787";
    expect(block("ts")).toContain(address);
    const file = join(dir, "example.ts");
    writeFileSync(file, block("ts").replace(address, gateway.url));
    const out = join(dir, "example.mjs");
    await build({
      entryPoints: [file],
      outfile: out,
      bundle: true,
      format: "esm",
      platform: "node",
      external: ["ws"],
      alias: { "@tidegate/client": join(root, "src/index.ts") },
    });
    expect(execFileSync(process.execPath, [out], { encoding: "utf8" })).toBe(block("text"));
    writeFileSync(
      join(dir, "tsconfig.json"),
      JSON.stringify({
        extends: join(root, "tsconfig.json"),
        compilerOptions: { paths: { "@tidegate/client": [join(root, "src/index.ts")] }, types: ["node"], typeRoots: [join(root, "node_modules/@types")] },
        include: ["example.ts"],
      }),
    );
    execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", dir], { stdio: "inherit" });
  } finally {
    await gateway.kill();
    rmSync(dir, { recursive: true, force: true });
  }
});
