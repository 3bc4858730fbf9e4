// Two devices, online and offline, in browsers that know nothing of each other.
import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { converged, launch, Pane, watchErrors } from "./browser.js";
import { Gateway } from "./gateway.js";

let browser: Browser;
let gateway: Gateway;
let contexts: BrowserContext[];
let errors: string[][];

beforeAll(async () => {
  browser = await launch();
  gateway = await new Gateway().start();
});
afterAll(async () => {
  await browser?.close();
  await gateway?.end();
});
beforeEach(async () => {
  contexts = [await browser.newContext(), await browser.newContext()];
  errors = contexts.map((context) => watchErrors(context));
});
afterEach(async () => {
  for (const context of contexts) await context.close();
  expect(errors.flat()).toEqual([]);
});

async function pair(space: string): Promise<[Pane, Pane]> {
  const [a, b] = await Promise.all(contexts.map((context, n) => Pane.open(context, gateway.url, space, ["ada", "ben"][n]!)));
  await a!.is("live");
  await b!.is("live");
  return [a!, b!];
}

test("edits of one device show on the other, and both end the same", async () => {
  const [a, b] = await pair("both");
  await a.add("From Ada");
  await b.add("From Ben");
  await b.card("From Ada").waitFor();
  await a.card("From Ben").waitFor();
  await a.vote("From Ben");
  await b.vote("From Ben");
  await b.assign("From Ada", "cleo");
  const shown = await converged(a, b);
  expect(shown).toHaveLength(2);
  expect(shown).toContain("To do | From Ben | 2 | ");
  expect(shown).toContain("To do | From Ada | 0 | cleo");
});

test("a card says how far its edits are", async () => {
  const [a] = await pair("states");
  await a.setOffline(true);
  await a.is("offline");
  await a.add("Careful");
  expect(await a.card("Careful").getByTestId("card-state").textContent()).toBe("local");
  await a.setOffline(false);
  await a.root.locator("[data-testid=card-state][data-state=durable]").waitFor();
});

test("edits made offline on both survive a reload, and merge", async () => {
  const [a, b] = await pair("offline");
  await a.add("Shared");
  await converged(a, b);
  for (const pane of [a, b]) await pane.setOffline(true);
  await a.add("Ada's own");
  await a.vote("Shared");
  await b.add("Ben's own");
  await b.vote("Shared");
  await b.card("Shared").getByTestId("card-details").click();
  await b.card("Shared").getByTestId("card-label").filter({ hasText: "urgent" }).click();
  for (const pane of [a, b]) {
    await pane.stored();
    await pane.page.reload();
    await pane.is("offline"); // the device stays as it was
    await pane.card("Shared").waitFor();
    expect(await pane.card("Shared").getByTestId("card-votes").textContent()).toBe("1");
    expect(await pane.card("Shared").getByTestId("card-state").textContent()).toBe("local");
  }
  expect(await a.titles()).toEqual(["Shared", "Ada's own"]);
  expect(await b.titles()).toEqual(["Shared", "Ben's own"]);
  for (const pane of [a, b]) await pane.setOffline(false);
  await a.card("Ben's own").waitFor();
  await b.card("Ada's own").waitFor();
  const shown = await converged(a, b);
  expect(shown).toHaveLength(3);
  expect(shown).toContain("To do | Shared | 2 | ");
  await a.card("Shared").locator(".label-urgent").waitFor();
});

test("two devices may begin a board unseen", async () => {
  const [a, b] = await pair("begun twice");
  for (const pane of [a, b]) await pane.setOffline(true);
  await a.add("First here");
  await b.add("First there");
  for (const pane of [a, b]) await pane.setOffline(false);
  await a.card("First there").waitFor();
  await b.card("First here").waitFor();
  await converged(a, b);
  for (const pane of [a, b]) {
    expect(await pane.get("column").count()).toBe(3);
    expect(await pane.get("inbox-open").getAttribute("aria-label")).toBe("Inbox, 0 waiting");
  }
});

test("who is there, and where they point, shows on the other device", async () => {
  const [a, b] = await pair("presence");
  await a.add("Pointed at");
  await b.card("Pointed at").waitFor();
  await a.get("people").getByRole("img", { name: "ben is here" }).waitFor();
  await a.card("Pointed at").hover();
  await b.root.locator(".pointer", { hasText: "ada" }).waitFor({ state: "attached" });
  await a.page.close();
  await b.get("people").getByRole("img", { name: "ada is here" }).waitFor({ state: "detached" });
});

test("cards are dragged, and moved by the keyboard", async () => {
  const [a, b] = await pair("moving");
  for (const title of ["One", "Two", "Three"]) await a.add(title);
  await converged(a, b);
  // By the pointer: One goes to the second column.
  const handle = (await a.card("One").locator("[data-handle]").boundingBox())!;
  const doing = (await a.root.locator("[data-testid=column][aria-label=Doing]").boundingBox())!;
  await a.page.mouse.move(handle.x + 4, handle.y + 4);
  await a.page.mouse.down();
  await a.page.mouse.move(doing.x + 60, doing.y + 60, { steps: 8 });
  await a.page.mouse.up();
  await b.root.locator("[data-testid=column][aria-label=Doing] [data-testid=card][aria-label=One]").waitFor();
  // By keys: Three goes up by one, and then across.
  await b.card("Three").locator("[data-handle]").press("ArrowUp");
  expect(await converged(a, b)).toEqual(["To do | Three | 0 | ", "To do | Two | 0 | ", "Doing | One | 0 | "]);
  await b.card("Three").locator("[data-handle]").press("ArrowRight");
  await b.page.locator("[data-handle]:focus").press("ArrowDown");
  expect(await converged(a, b)).toEqual(["To do | Two | 0 | ", "Doing | One | 0 | ", "Doing | Three | 0 | "]);
  await b.page.getByRole("status").filter({ hasText: "Three: Doing, 2 of 2" }).waitFor({ state: "attached" });
});

test("everything is undone, and the board goes on", async () => {
  const [a, b] = await pair("undone");
  await a.add("First");
  await converged(a, b);
  for (let n = 0; n < 4; n++) await a.get("undo").click();
  await b.card("First").waitFor({ state: "detached" });
  await b.add("Second");
  await a.card("Second").waitFor();
  await a.add("Third");
  await b.card("Third").waitFor();
  await b.card("Third").locator("[data-handle]").press("ArrowUp");
  expect(await converged(a, b)).toEqual(["To do | Third | 0 | ", "To do | Second | 0 | "]);
  for (const pane of [a, b]) expect(await pane.get("inbox-open").getAttribute("aria-label")).toBe("Inbox, 0 waiting");
});

test("edits are undone and redone, among others' edits", async () => {
  const [a, b] = await pair("undo");
  await a.add("Kept");
  await converged(a, b);
  await a.vote("Kept");
  await b.vote("Kept");
  await converged(a, b);
  await a.get("undo").click();
  await b.root.locator("[data-testid=card-votes]", { hasText: "1" }).waitFor();
  await a.get("redo").click();
  await b.root.locator("[data-testid=card-votes]", { hasText: "2" }).waitFor();
  await converged(a, b);
});
