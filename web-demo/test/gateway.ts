// The real gateway, as a process that can be killed.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { inject } from "vitest";

/** A gateway with a store of its own in development mode. */
export class Gateway {
  readonly #home = mkdtempSync(join(tmpdir(), "tidegate-gateway-"));
  #process: ChildProcess | undefined;
  #address = "127.0.0.1:0";
  #said = "";

  /** Where it listens: the same after each start. */
  get url(): string {
    return `http://${this.#address}`;
  }

  /** Starts the program, and resolves once it listens. */
  async start(): Promise<this> {
    const child = spawn(inject("binary"), ["--store", "file:board.db", "--listen", this.#address, "--limit-connect-rate", "0"], {
      cwd: this.#home,
      env: { HOME: this.#home, PATH: process.env["PATH"] ?? "" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    child.stderr?.on("data", (data: Buffer) => (this.#said += data.toString()));
    for await (const line of createInterface({ input: child.stdout! })) {
      const listening = /listening on http:\/\/(\S+)/.exec(line);
      if (!listening) continue;
      this.#address = listening[1] ?? "";
      child.stdout?.resume();
      return this;
    }
    throw new Error(`the gateway ended at its start:\n${this.#said}`);
  }

  /** Kills the program: it has no time to write anything. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  /** Ends it and forgets what it kept. */
  async end(): Promise<void> {
    await this.kill();
    rmSync(this.#home, { recursive: true, force: true });
  }
}
