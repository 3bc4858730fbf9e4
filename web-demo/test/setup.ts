import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** The gateway's program. */
    binary: string;
  }
}

/** Builds the gateway with the page as it is committed, unless TIDEGATE_BINARY names one. */
export default function setup(project: TestProject): () => void {
  const given = process.env["TIDEGATE_BINARY"];
  const dir = mkdtempSync(join(tmpdir(), "tidegate-demo-"));
  const binary = given ?? join(dir, "tidegate");
  if (!given) execFileSync("go", ["build", "-o", binary, "."], { cwd: join(import.meta.dirname, "../.."), stdio: "inherit" });
  project.provide("binary", binary);
  return () => rmSync(dir, { recursive: true, force: true });
}
