// The real gateway, built from this repository and run as a process.
import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** Why there is no gateway to test against; empty if there is one. Under CI that is a failure. */
export const missing = (() => {
  try {
    execFileSync("go", ["version"], { stdio: "ignore" });
    return "";
  } catch {
    return "there is no go to build the gateway with";
  }
})();

let built: { readonly dir: string; readonly program: string } | undefined;

/** Builds the program, once. */
export function program(): { readonly dir: string; readonly program: string } {
  if (!built) {
    const dir = mkdtempSync(join(tmpdir(), "tidegate-e2e-"));
    built = { dir, program: join(dir, "tidegate") };
    process.on("exit", () => rmSync(dir, { recursive: true, force: true }));
    execFileSync("go", ["build", "-o", built.program, "."], { cwd: root, stdio: "inherit" });
  }
  return built;
}

/** Runs the program to its end and returns what it printed. */
export function run(...args: string[]): string {
  return execFileSync(program().program, args, { encoding: "utf8", cwd: program().dir }).trim();
}

/** Writes a file beside the program. */
export function write(name: string, content: string): string {
  const path = join(program().dir, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

/** A gateway that runs. */
export class Gateway {
  private constructor(
    private readonly process: ChildProcess,
    /** host:port */
    readonly address: string,
  ) {}

  get url(): string {
    return `http://${this.address}`;
  }

  static async start(...args: string[]): Promise<Gateway> {
    const { program: path, dir } = program();
    const process = spawn(path, ["serve", "--limit-connect-rate", "0", ...args], { cwd: dir, stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    process.stderr.on("data", (data: Buffer) => (said += data));
    return new Promise((resolve, reject) => {
      let out = "";
      process.stdout.on("data", (data: Buffer) => {
        const address = /listening on https?:\/\/(\S+)/.exec((out += data))?.[1];
        if (address) resolve(new Gateway(process, address));
      });
      process.on("exit", (code) => reject(new Error(`the gateway ended with ${code}: ${said}`)));
    });
  }

  /** Ends the process as a crash does. */
  async kill(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill("SIGKILL");
    await ended;
  }
}
