// Several tabs of one device: one has the connection, the others follow it.
import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { converged, launch, Pane, until, watchErrors } from "./browser.js";
import { Gateway } from "./gateway.js";

let browser: Browser;
let gateway: Gateway;
let context: BrowserContext;
let errors: string[];

beforeAll(async () => {
  browser = await launch();
  gateway = await new Gateway().start();
});
afterAll(async () => {
  await browser?.close();
  await gateway?.end();
});
beforeEach(async () => {
  context = await browser.newContext();
  errors = watchErrors(context);
});
afterEach(async () => {
  await context.close();
  expect(errors).toEqual([]);
});

const leads = async (pane: Pane) => (await pane.get("status").getAttribute("data-leader")) === "true";

test("the leading tab dies, and a follower takes over with all edits", async () => {
  const tabs: Pane[] = [];
  for (let n = 0; n < 3; n++) {
    const pane = await Pane.open(context, gateway.url, "tabs", "ada");
    await pane.is("live");
    tabs.push(pane);
  }
  expect(await Promise.all(tabs.map(leads))).toEqual([true, false, false]);
  // Tabs see each other's edits at once, also without a gateway.
  await tabs[1]!.setOffline(true);
  await tabs[0]!.is("offline");
  await tabs[1]!.add("By a follower");
  await tabs[0]!.card("By a follower").waitFor();
  await tabs[2]!.card("By a follower").waitFor();
  await tabs[2]!.add("By another");
  await tabs[2]!.stored();

  const crashed = tabs[0]!.page;
  await crashed.close({ runBeforeUnload: false });
  const rest = tabs.slice(1);
  await until(async () => (await Promise.all(rest.map(leads))).filter(Boolean).length, (leaders) => leaders === 1, "one new leader");
  for (const pane of rest) expect(await pane.titles()).toEqual(["By a follower", "By another"]);
  await rest[1]!.add("After the change");
  await rest[0]!.setOffline(false);
  const other = await browser.newContext();
  const witness = await Pane.open(other, gateway.url, "tabs", "ben");
  await witness.card("After the change").waitFor();
  expect(await converged(...rest, witness)).toEqual(["To do | By a follower | 0 | ", "To do | By another | 0 | ", "To do | After the change | 0 | "]);
  await other.close();
});
