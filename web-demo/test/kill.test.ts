// Tabs, renderers, browsers and gateways are killed. What a device had stored is
// not lost, and what it had not stored was not promised.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { converged, launch, launchWith, Pane, patience, until, watchErrors } from "./browser.js";
import { Gateway } from "./gateway.js";

/** How often something is killed: five times, or as often as DEMO_KILLS says. */
const rounds = Number(process.env["DEMO_KILLS"] ?? 5);

let browser: Browser;
let gateway: Gateway;
const later: (() => Promise<unknown> | void)[] = [];

beforeAll(async () => {
  browser = await launch();
  gateway = await new Gateway().start();
});
afterEach(async () => {
  for (const end of later.splice(0).reverse()) await end();
});
afterAll(async () => {
  await browser?.close();
  await gateway?.end();
});

/** A browser of its own, on a profile that outlives it. */
async function profile(): Promise<() => Promise<BrowserContext>> {
  const dir = mkdtempSync(join(tmpdir(), "tidegate-profile-"));
  let context: BrowserContext | undefined;
  later.push(async () => {
    await context?.close();
    rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  });
  return async () => (context = await launchWith(dir));
}

/** The processes of a browser, by what they do. */
async function processes(context: BrowserContext): Promise<{ type: string; id: number }[]> {
  const session = await context.browser()!.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  return processInfo;
}

/** Kills every renderer of a browser: the tabs have no time for anything. */
async function killRenderers(context: BrowserContext): Promise<void> {
  const crashed = Promise.all(context.pages().filter((page) => page.url().startsWith("http")).map((page) => page.waitForEvent("crash", { timeout: patience })));
  for (const { type, id } of await processes(context)) if (type === "renderer") process.kill(id, "SIGKILL");
  await crashed;
}

/** Kills a whole browser. */
async function killBrowser(context: BrowserContext): Promise<void> {
  const closed = new Promise((resolve) => context.once("close", resolve));
  for (const { type, id } of await processes(context)) if (type === "browser") process.kill(id, "SIGKILL");
  await closed;
}

/** A pane on another machine, which knows only what the gateway has. */
async function witness(space: string): Promise<Pane> {
  const context = await browser.newContext();
  const errors = watchErrors(context, { network: true });
  later.push(async () => {
    await context.close();
    expect(errors).toEqual([]);
  });
  return Pane.open(context, gateway.url, space, "witness");
}

test(`nothing that was stored is lost in ${rounds} kills and reloads`, async () => {
  const start = await profile();
  let context = await start();
  let errors = watchErrors(context, { network: true });
  const made: string[] = [];
  const open = () => Pane.open(context, gateway.url, "killed", "ada");
  let pane = await open();
  await pane.setOffline(true);
  for (let round = 0; round < rounds; round++) {
    for (const n of [1, 2]) {
      const title = `Round ${round}, card ${n}`;
      await pane.add(title);
      await pane.vote(title);
      made.push(title);
    }
    await pane.stored();
    expect(errors).toEqual([]);
    switch (round % 4) {
      case 0:
        await killRenderers(context);
        await pane.page.close();
        pane = await open();
        break;
      case 1:
        await pane.page.close({ runBeforeUnload: false });
        pane = await open();
        break;
      case 2:
        await killBrowser(context);
        context = await start();
        errors = watchErrors(context, { network: true });
        pane = await open();
        break;
      case 3:
        await pane.page.reload();
        await pane.root.waitFor();
        break;
    }
    await pane.is("offline");
    const titles = await until(() => pane.titles(), (all) => all.length >= made.length, `the cards of ${round + 1} rounds`);
    expect(titles).toEqual(made);
    // Now and then the queue goes out in between; then it is offline again.
    if (round % 3 === 2) {
      await pane.setOffline(false);
      await pane.saved();
      await pane.setOffline(true);
    }
  }
  await pane.setOffline(false);
  const other = await witness("killed");
  await other.get("card").nth(made.length - 1).waitFor();
  const shown = await converged(pane, other);
  expect(shown).toEqual(made.map((title) => `To do | ${title} | 1 | `)); // once each
  expect(errors).toEqual([]);
});

test("a killed tab had sent a part: the rest follows, and nothing twice", async () => {
  const start = await profile();
  const context = await start();
  let pane = await Pane.open(context, gateway.url, "half sent", "ada");
  await pane.saved();
  await pane.page.getByTestId("latency").fill("400"); // verdicts are under way when the tab dies
  await pane.add("Counted");
  for (let n = 0; n < 10; n++) await pane.vote("Counted");
  await pane.stored();
  await killRenderers(context);
  await pane.page.close();
  pane = await Pane.open(context, gateway.url, "half sent", "ada");
  const other = await witness("half sent");
  await pane.saved();
  expect(await converged(pane, other)).toEqual(["To do | Counted | 10 | "]);
});

test("the gateway is killed and started again under load", async () => {
  const contexts = [await browser.newContext(), await browser.newContext()];
  const errors = contexts.map((context) => watchErrors(context, { network: true }));
  const panes = await Promise.all(contexts.map((context, n) => Pane.open(context, gateway.url, "gateway", ["ada", "ben"][n]!)));
  const [a, b] = panes as [Pane, Pane];
  await a.add("Load");
  await converged(a, b);
  let votes = 0;
  for (let kill = 0; kill < 3; kill++) {
    // Votes go on while the gateway dies, is gone, and comes back.
    const voting = panes.map(async (pane) => {
      for (let n = 0; n < 8; n++) {
        await pane.vote("Load");
        votes++;
      }
    });
    await gateway.kill();
    await gateway.start();
    await Promise.all(voting);
  }
  const shown = await converged(a, b);
  expect(shown).toEqual([`To do | Load | ${votes} | `]);
  for (const context of contexts) await context.close();
  expect(errors.flat()).toEqual([]);
});
