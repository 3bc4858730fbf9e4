// From following to leading.
import { tideError } from "../error.js";
import type { TideError } from "../error.js";
import type { LocalEngine } from "../shell.js";
import type { Left, RemoteEngine } from "./remote.js";

/**
 * Opens in a tab's own engine what its app needs; while the store is being loaded
 * that may become more. Returns the names of the spaces, and why it failed if it
 * did.
 */
export async function openAll(engine: LocalEngine, remote: RemoteEngine): Promise<{ readonly opened: Set<string>; readonly failed?: TideError }> {
  const opened = new Set<string>();
  try {
    do {
      const needed = [...remote.needed()].filter(([space]) => !opened.has(space));
      for (const [space] of needed) opened.add(space);
      await engine.loaded;
      await Promise.all(needed.map(([space, options]) => engine.open(space, options)));
    } while ([...remote.needed().keys()].some((space) => !opened.has(space)));
    return { opened };
  } catch (error) {
    return { opened, failed: tideError(error, "store-failed") };
  }
}

/** Gives the engine, in which the spaces are open, everything that waited for a leader. */
export function handOver({ mine, asked, opened }: Left, engine: LocalEngine, tab: string): void {
  for (const { space, counter, mutation, replaces, locally, durably } of mine) {
    try {
      const { local, durable } = engine.submit(space, mutation, replaces, { tab, counter });
      local.then(locally.resolve, locally.reject);
      durable.then(durably.resolve, durably.reject);
    } catch (error) {
      locally.reject(error as TideError);
      durably.reject(error as TideError);
    }
  }
  for (const { method, args, answer } of asked) {
    if (method === "open") continue;
    const work = async (): Promise<unknown> =>
      method === "forget" ? engine.close(true) : (engine[method] as (...args: readonly unknown[]) => unknown)(...args);
    work().then(answer.resolve, answer.reject);
  }
  for (const each of opened) each.resolve();
}
