// A real browser, and the page in the words of its hooks.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";
import type { Browser, BrowserContext, Locator, Page } from "playwright-core";

/** How long a test waits for what must happen. */
export const patience = 60_000;

const executablePath = process.env["CHROMIUM"] ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path)) ?? "";

const options = {
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
};

export function launch(): Promise<Browser> {
  return chromium.launch(options);
}

/** A browser with a profile that outlives it. */
export function launchWith(profile: string): Promise<BrowserContext> {
  return chromium.launchPersistentContext(profile, options);
}

/** What the browser itself says when there is no network: no page can keep it from that. */
const networkNoise = /net::ERR_(CONNECTION_|INTERNET_DISCONNECTED|EMPTY_RESPONSE|SOCKET_)|WebSocket connection to '[^']*' failed|WebSocket is closed before/;

/** What went wrong in a context's pages, by their own account. */
export function watchErrors(context: BrowserContext, options: { network?: boolean } = {}): string[] {
  const errors: string[] = [];
  const watch = (page: Page) => {
    page.setDefaultTimeout(patience);
    page.on("console", (message) => {
      const text = `${message.type()}: ${message.text()}`;
      const bad = message.type() === "error" || message.type() === "warning";
      if (bad && !(options.network && networkNoise.test(text))) errors.push(text);
    });
    page.on("pageerror", (error) => errors.push(String(error)));
  };
  for (const page of context.pages()) watch(page);
  context.on("page", watch);
  return errors;
}

/** One of the page's devices. */
export class Pane {
  readonly root: Locator;

  constructor(
    readonly page: Page,
    name: "a" | "b" = "a",
  ) {
    this.root = page.getByTestId(`pane-${name}`);
  }

  /** Opens a page with one device. */
  static async open(context: BrowserContext, url: string, space: string, user: string): Promise<Pane> {
    const page = await context.newPage();
    await page.goto(`${url}/?space=${encodeURIComponent(space)}&user=${encodeURIComponent(user)}`);
    const pane = new Pane(page);
    await pane.root.waitFor();
    return pane;
  }

  get(testid: string): Locator {
    return this.root.getByTestId(testid);
  }

  /** The card of that title. */
  card(title: string): Locator {
    return this.root.locator(`[data-testid=card][aria-label="${title}"]`);
  }

  /** Waits until the status says so, and all edits are stored on the device. */
  async is(state: string): Promise<void> {
    await this.root.locator(`[data-testid=status][data-state="${state}"]`).waitFor();
  }

  /** Waits until what was edited here would survive the end of the tab. */
  async stored(): Promise<void> {
    await this.root.locator(`[data-testid=status][data-storing="0"]`).waitFor();
  }

  /** Waits until everything that was edited here is with the gateway. */
  async saved(): Promise<void> {
    await this.root.locator(`[data-testid=status][data-state=live][data-pending="0"][data-storing="0"]`).waitFor();
  }

  async setOffline(offline: boolean): Promise<void> {
    const toggle = this.get("offline-toggle");
    if ((await toggle.getAttribute("aria-checked")) !== String(offline)) await toggle.click();
  }

  /** Makes a card, as a user does: the button, then the title. */
  async add(title: string): Promise<void> {
    const cards = this.get("card");
    const before = await cards.count();
    await this.get("add-card").click();
    await cards.nth(before).waitFor();
    await this.root.locator("[data-testid=card-title]:focus").waitFor();
    await this.page.keyboard.insertText(title);
    await this.card(title).waitFor();
  }

  async assign(title: string, name: string): Promise<void> {
    const input = this.card(title).getByTestId("card-assignee");
    await input.fill(name);
    await input.press("Enter");
  }

  async vote(title: string): Promise<void> {
    await this.card(title).getByTestId("card-vote").click();
  }

  /** What is shown, as one text for each card: column, title, votes, assignee. */
  async shown(): Promise<string[]> {
    return this.root.getByTestId("column").evaluateAll((columns) =>
      columns.flatMap((column) =>
        [...column.querySelectorAll<HTMLElement>("[data-testid=card]")].map((card) => {
          const part = (name: string) => card.querySelector<HTMLInputElement>(`[data-testid=${name}]`);
          return [column.getAttribute("aria-label"), part("card-title")?.value, part("card-votes")?.textContent, part("card-assignee")?.value].join(" | ");
        }),
      ),
    );
  }

  async titles(): Promise<string[]> {
    return this.root.getByTestId("card-title").evaluateAll((all) => all.map((title) => (title as HTMLTextAreaElement).value));
  }
}

/** Waits until `look` gives what `fits`, and returns it; an error says what it gave last. */
export async function until<T>(look: () => Promise<T>, fits: (value: T) => boolean, what: string): Promise<T> {
  const end = Date.now() + patience;
  for (;;) {
    const value = await look();
    if (fits(value)) return value;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}; last there was ${JSON.stringify(value, null, 1)}`);
    await new Promise((resolve) => setTimeout(resolve, 25)); // between two looks; not a guess at how long it takes
  }
}

/** Waits until panes have sent everything and show the same; returns that. */
export async function converged(...panes: readonly Pane[]): Promise<string[]> {
  // What was done last may not have been drawn yet.
  for (const { page } of panes) await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn))));
  for (const pane of panes) await pane.saved();
  const look = () => Promise.all(panes.map((pane) => pane.shown()));
  const all = await until(look, ([first, ...rest]) => rest.every((other) => JSON.stringify(other) === JSON.stringify(first)), "panes that show the same");
  return all[0] ?? [];
}
