// What collides is decided by people, and what is rejected is not lost.
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
  context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  errors = watchErrors(context);
});
afterEach(async () => {
  await context.close();
  expect(errors).toEqual([]);
});

/** The page with two panes, in a space that has a card. */
async function panes(): Promise<[Pane, Pane]> {
  const page = await context.newPage();
  await page.goto(gateway.url);
  const [a, b] = [new Pane(page, "a"), new Pane(page, "b")];
  await a.is("live");
  await b.is("live");
  return [a, b];
}

/** Assigns a card to two people while the devices are apart; returns whose choice stands. */
async function collide(a: Pane, b: Pane, title: string): Promise<void> {
  await a.add(title);
  await converged(a, b);
  for (const pane of [a, b]) await pane.setOffline(true);
  await a.assign(title, "Ada");
  await b.assign(title, "Ben");
  await a.setOffline(false);
  await a.saved();
  await b.setOffline(false);
  await b.saved();
  await b.get("inbox-open").click();
  await b.get("conflict").waitFor();
}

test("two panes: an assignee that collided is asked for, and resolved by keeping mine", async () => {
  const [a, b] = await panes();
  await collide(a, b, "Mine");
  const conflict = b.get("conflict");
  expect(await conflict.getByRole("heading").textContent()).toBe("Assignee of “Mine”");
  const rows = await conflict.locator("tr").allInnerTexts();
  expect(rows.map((row) => row.replace(/\s+/g, " ").trim())).toEqual([
    "Before nothing",
    expect.stringMatching(/^Mine Ben B \d/),
    expect.stringMatching(/^Theirs Ada A \d/),
  ]);
  // The other device sees the question too, and the first choice until it is answered.
  await a.card("Mine").getByTestId("card-conflict").waitFor();
  expect(await a.card("Mine").getByTestId("card-assignee").inputValue()).toBe("Ada");
  await conflict.getByTestId("keep-mine").click();
  await conflict.waitFor({ state: "detached" });
  await until(() => a.card("Mine").getByTestId("card-assignee").inputValue(), (name) => name === "Ben", "Ben's choice on Ada's device");
  await a.card("Mine").getByTestId("card-conflict").waitFor({ state: "detached" });
});

test("keeping theirs, and writing another", async () => {
  const [a, b] = await panes();
  await collide(a, b, "Theirs");
  await b.get("keep-theirs").click();
  await b.get("conflict").waitFor({ state: "detached" });
  await b.get("inbox-close").click();
  await converged(a, b);
  expect(await b.card("Theirs").getByTestId("card-assignee").inputValue()).toBe("Ada");

  await collide(a, b, "Another");
  await b.get("write-another").click();
  await b.get("another-value").fill("Cleo");
  await b.get("resolve").click();
  await b.get("conflict").waitFor({ state: "detached" });
  await until(() => a.card("Another").getByTestId("card-assignee").inputValue(), (name) => name === "Cleo", "the third choice on Ada's device");
  await converged(a, b);
});

test("a settled conflict is told to who lost, and restored", async () => {
  const [a, b] = await panes();
  await a.add("Title");
  await converged(a, b);
  for (const pane of [a, b]) await pane.setOffline(true);
  // The later edit wins; the earlier one arrives last and loses.
  await b.card("Title").getByTestId("card-title").fill("Ben was first");
  await b.stored();
  await a.card("Title").getByTestId("card-title").fill("Ada was later");
  await a.setOffline(false);
  await a.saved();
  await b.setOffline(false);
  await b.card("Ada was later").waitFor();
  await b.get("inbox-open").click();
  const conflict = b.root.locator("[data-testid=conflict][data-field=title][data-open=false]");
  await conflict.waitFor();
  await conflict.getByTestId("keep-mine").click();
  await a.card("Ben was first").waitFor();
  await conflict.waitFor({ state: "detached" });
  await converged(a, b);
});

test("an edit that the gateway rejects says why, and is mended", async () => {
  const [a, b] = await panes();
  await a.add("Backwards");
  await converged(a, b);
  const card = a.card("Backwards");
  await card.getByTestId("card-details").click();
  await card.getByTestId("card-start").fill("2030-05-02T10:00");
  await card.getByTestId("card-end").fill("2030-05-01T10:00");
  await a.get("inbox-open").click();
  const rejected = a.get("rejected");
  await rejected.filter({ hasText: "A card must not end before it starts." }).waitFor();
  // It is not lost by a reload either.
  await a.page.reload();
  await a.get("inbox-open").click();
  await rejected.waitFor();
  await rejected.getByTestId("edit").click();
  await rejected.locator("[data-testid=edited-value][data-field=end]").fill("2030-05-03T10:00");
  await rejected.getByTestId("send-edited").click();
  await rejected.waitFor({ state: "detached" });
  await b.card("Backwards").locator(".chip", { hasText: "2030" }).or(b.card("Backwards").locator(".chip", { hasText: "May" })).waitFor();
  await converged(a, b);
});

test("a stale estimate is rejected, tried again, and another is discarded", async () => {
  const [a, b] = await panes();
  await a.add("Guess");
  await converged(a, b);
  for (const pane of [a, b]) await pane.card("Guess").getByTestId("card-details").click();
  const estimate = (pane: Pane) => pane.card("Guess").getByTestId("card-estimate");
  const collideEstimates = async (first: string, second: string) => {
    for (const pane of [a, b]) await pane.setOffline(true);
    await estimate(a).selectOption(first);
    await estimate(b).selectOption(second);
    await a.setOffline(false);
    await a.saved();
    await b.setOffline(false);
  };
  await collideEstimates("3", "8");
  await b.get("inbox-open").click();
  await b.root.locator("[data-testid=rejected][data-code=stale]").waitFor();
  await b.get("retry").click();
  await until(() => estimate(a).inputValue(), (value) => value === "8", "the estimate that was tried again");
  await b.get("rejected").waitFor({ state: "detached" });
  await collideEstimates("5", "13");
  await b.get("rejected").waitFor();
  await b.get("discard").click();
  await b.get("rejected").waitFor({ state: "detached" });
  await until(() => estimate(b).inputValue(), (value) => value === "5", "the estimate that stands");
  await converged(a, b);
});

test("what the device refuses is said where it is typed, and is not kept", async () => {
  const [a, b] = await panes();
  await a.add("Short");
  await a.card("Short").getByTestId("card-title").fill("x".repeat(201));
  await a.root.getByRole("alert").waitFor();
  await a.page.keyboard.press("Enter");
  await a.card("Short").waitFor();
  await converged(a, b);
});

test("a card's history is shown, and an earlier version restored", async () => {
  const [a, b] = await panes();
  await a.add("Versioned");
  await a.assign("Versioned", "Ada");
  await a.saved();
  await b.card("Versioned").getByTestId("card-title").fill("Renamed");
  await a.card("Renamed").waitFor();
  await a.card("Renamed").getByTestId("card-details").click();
  await a.card("Renamed").getByTestId("card-history").click();
  const history = a.page.getByTestId("history");
  await history.getByTestId("version").filter({ hasText: "assignee → Ada" }).getByTestId("restore").click();
  await b.card("Versioned").waitFor();
  await converged(a, b);
  await a.page.getByTestId("log").locator("li").first().waitFor();
  await until(() => a.page.getByTestId("convergence").getAttribute("data-samples"), (n) => Number(n) > 0, "a measured edit");
});

test("the guide makes a conflict by itself", async () => {
  const [a, b] = await panes();
  await a.page.getByTestId("show-me").click();
  await a.get("card-conflict").waitFor();
  await b.get("card-conflict").waitFor();
  await converged(a, b);
});
