// The page itself: by keyboard, on a phone, without a network, under its policy.
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { launch, Pane, until, watchErrors } from "./browser.js";
import { Gateway } from "./gateway.js";

let browser: Browser;
let gateway: Gateway;
const contexts: BrowserContext[] = [];
const errors: string[][] = [];

beforeAll(async () => {
  browser = await launch();
  gateway = await new Gateway().start();
});
afterAll(async () => {
  await browser?.close();
  await gateway?.end();
});
afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close();
  expect(errors.splice(0).flat()).toEqual([]);
});

async function context(options: Parameters<Browser["newContext"]>[0] = {}, network = false): Promise<BrowserContext> {
  const made = await browser.newContext(options);
  contexts.push(made);
  errors.push(watchErrors(made, { network }));
  return made;
}

async function loaded(page: Page): Promise<void> {
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
  });
}

test("a first visit downloads little", async () => {
  const page = await (await context()).newPage();
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  let bytes = 0;
  session.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  await page.goto(gateway.url);
  await new Pane(page).is("live");
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThan(100_000);
});

test("once visited, it opens without a gateway, with everything that was seen and edited", async () => {
  const own = await new Gateway().start();
  try {
    const ctx = await context({}, true);
    const pane = await Pane.open(ctx, own.url, "cached", "ada");
    await pane.add("Seen");
    await pane.saved();
    await loaded(pane.page);
    await own.kill();
    await pane.page.reload();
    await pane.card("Seen").waitFor();
    await pane.add("Made without anybody");
    await pane.stored();
    await pane.page.close();
    // Another address of the same page, in a new tab.
    const again = await Pane.open(ctx, own.url, "cached", "ada");
    await again.card("Made without anybody").waitFor();
    await own.start();
    await again.saved();
  } finally {
    await own.end();
  }
});

test("everything can be done by keyboard", async () => {
  const pane = await Pane.open(await context(), gateway.url, "keys", "ada");
  await pane.is("live");
  const { page } = pane;
  const reach = async (name: RegExp) => {
    for (let n = 0; n < 60; n++) {
      await page.keyboard.press("Tab");
      const found = await page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? "");
      if (name.test(found)) return;
    }
    throw new Error(`Tab does not lead to ${name}`);
  };
  await reach(/Card$/);
  await page.keyboard.press("Enter");
  await until(() => page.evaluate(() => document.activeElement?.getAttribute("data-testid")), (id) => id === "card-title", "the new card's title");
  await page.keyboard.type("Typed");
  await page.keyboard.press("Enter");
  await pane.card("Typed").waitFor();
  await pane.card("Typed").locator("[data-handle]").focus();
  await page.keyboard.press("ArrowRight");
  await pane.root.locator("[data-testid=column][aria-label=Doing] [data-testid=card]").waitFor();
  await reach(/^Details of/);
  await page.keyboard.press("Enter");
  await reach(/^urgent$/);
  await page.keyboard.press("Space");
  await pane.root.locator("[aria-pressed=true]", { hasText: "urgent" }).waitFor();
  await page.keyboard.press("Shift+Tab");
  await pane.get("inbox-open").focus();
  await page.keyboard.press("Enter");
  await pane.get("inbox").waitFor();
  await until(() => pane.get("inbox").evaluate((inbox) => inbox.contains(document.activeElement)), Boolean, "the focus in the inbox");
  await page.keyboard.press("Escape");
  await pane.get("inbox").waitFor({ state: "detached" });
  expect(await pane.get("inbox-open").evaluate((button) => button === document.activeElement)).toBe(true);
});

test("controls have names, and regions too", async () => {
  const page = await (await context({ viewport: { width: 1400, height: 900 } })).newPage();
  await page.goto(`${gateway.url}/`);
  await new Pane(page).is("live");
  await new Pane(page).get("add-example").click();
  await new Pane(page).get("card-details").first().click();
  await new Pane(page).get("inbox-open").click();
  await page.getByTestId("drawer-open").click();
  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>("button, input, select, textarea, a, section, aside, [role=img], svg[role=img]")]
      .filter((e) => {
        const label = e.getAttribute("aria-label") ?? (e as HTMLInputElement).labels?.[0]?.textContent ?? e.textContent;
        return !label?.trim();
      })
      .map((e) => e.outerHTML.slice(0, 120)),
  );
  expect(nameless).toEqual([]);
  const ids = await page.evaluate(() => [...document.querySelectorAll("[id]")].map((e) => e.id));
  expect(new Set(ids).size).toBe(ids.length);
});

test("it fits a phone", async () => {
  const ctx = await context({ viewport: { width: 375, height: 720 }, hasTouch: true, isMobile: true });
  const page = await ctx.newPage();
  await page.goto(`${gateway.url}/?space=phone&user=ada`);
  const pane = new Pane(page);
  await pane.is("live");
  await pane.add("On the go");
  await pane.get("inbox-open").tap();
  await pane.get("inbox").waitFor();
  const [width, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  expect(width).toBeLessThanOrEqual(inner!);
});

/** The contrast of two colours, as WCAG has it. */
const contrast = `(a, b) => {
  const light = (color) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
  return (x + 0.05) / (y + 0.05);
}`;

test.each(["light", "dark"] as const)("text can be read in the %s theme", async (colorScheme) => {
  const page = await (await context({ colorScheme })).newPage();
  await page.goto(`${gateway.url}/?space=${colorScheme}&user=ada`);
  const pane = new Pane(page);
  await pane.is("live");
  await pane.get("add-example").click();
  await pane.get("card").nth(4).waitFor();
  const faint = await page.evaluate(`[...document.querySelectorAll("h1, h2, .quiet, .state, .status span, button, textarea, .votes, .avatar")]
    .filter((e) => e.textContent.trim() && e.getClientRects().length)
    .map((e) => {
      let ground = e;
      while (ground && getComputedStyle(ground).backgroundColor.replaceAll(" ", "").match(/rgba\\(.*,0\\)|transparent/)) ground = ground.parentElement;
      return [(${contrast})(getComputedStyle(e).color, getComputedStyle(ground ?? document.body).backgroundColor), e.className + ": " + e.textContent];
    })
    .filter(([ratio]) => ratio < 4.5)`);
  expect(faint).toEqual([]);
});

test("the theme is chosen and kept", async () => {
  const pane = await Pane.open(await context(), gateway.url, "theme", "ada");
  const ground = () => pane.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const auto = await ground();
  await pane.page.getByTestId("theme").click();
  await pane.page.getByTestId("theme").click();
  await until(ground, (color) => color !== auto, "the dark theme");
  await pane.page.reload();
  await pane.root.waitFor();
  expect(await ground()).not.toBe(auto);
});
