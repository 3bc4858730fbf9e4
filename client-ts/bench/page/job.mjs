// The job, the same for each library: a page makes a device out of an adapter
// and offers run.mjs what to do and what to look at.
//
// An adapter has
//   open({ url, space, changed })  begins to sync; calls changed() when rows are others
//   seed(cards)                    makes cards; resolves once the server has them
//   edit(id, title)                sets one field
//   title(id), size()              what the rows of the own view say
//   drained()                      resolves once the server has every edit

const words = "milk board plan review ship write call draft budget paint garden train north river copper window market letter".split(" ");

/** Cards as a board has them: the same for the same number. */
export function cards(n) {
  let state = 1;
  const below = (bound) => (state = (state * 48271) % 2147483647) % bound;
  const text = (count) => Array.from({ length: count }, () => words[below(words.length)]).join(" ");
  return Array.from({ length: n }, (_, i) => ({
    id: id(i),
    title: text(3),
    note: text(4 + below(16)),
    column: `column-${below(8)}`,
    assignee: `user-${below(40)}`,
    votes: below(100),
    done: below(2) === 1,
  }));
}

export const id = (i) => `card-${String(i).padStart(5, "0")}`;

/** Main-thread time in the handlers of WebSocket messages, and in long tasks. */
const spent = { messages: 0, handling: 0, longestMessage: 0, opened: 0, firstMessage: 0, longTasks: [] };

globalThis.WebSocket = class extends WebSocket {
  constructor(...args) {
    super(...args);
    this.addEventListener("open", () => (spent.opened ||= performance.now()));
  }
  set onmessage(handle) {
    super.onmessage = handle && ((event) => {
      const start = performance.now();
      spent.firstMessage ||= start;
      handle.call(this, event);
      const taken = performance.now() - start;
      spent.messages++;
      spent.handling += taken;
      spent.longestMessage = Math.max(spent.longestMessage, taken);
    });
  }
};
new PerformanceObserver((list) => spent.longTasks.push(...list.getEntries().map((task) => task.duration))).observe({ entryTypes: ["longtask"] });

const task = () => new Promise((resolve) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => resolve(port1.close());
  port2.postMessage(0);
});

/** Offers the job to run.mjs as `bench`. */
export function offer(adapter) {
  /** Who waits for the view: {met, resolve}. */
  const waits = new Set();
  const changed = () => {
    for (const wait of waits) {
      if (!wait.met()) continue;
      waits.delete(wait);
      wait.resolve(performance.now());
    }
  };
  /** Resolves with the time at which the view was told to be so. */
  const until = (met) => new Promise((resolve) => {
    waits.add({ met, resolve });
    changed();
  });
  const wall = (at) => performance.timeOrigin + at;

  globalThis.bench = {
    /** Opens the space; resolves once n rows are there, with how long that took. */
    async open(url, space, n) {
      const start = performance.now();
      adapter.open({ url, space, changed });
      const applied = await until(() => adapter.size() === n);
      const { messages, handling, longestMessage, opened, firstMessage } = spent;
      await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
      return {
        total: applied - start,
        untilOpen: opened && opened - start,
        untilFirstMessage: firstMessage && firstMessage - start,
        messages, handling, longestMessage,
        longTasks: [...spent.longTasks],
        said: adapter.said?.(),
      };
    },
    async seed(n) {
      await adapter.seed(cards(n));
    },
    /** Edits a title n times, over the first `over` cards; resolves with what each took until the own view had it. */
    async edit(n, over, pause, mark) {
      const taken = [];
      const started = wall(performance.now());
      for (let k = 0; k < n; k++) {
        const card = id((k * 37) % over);
        const title = `${mark} edit ${k}`;
        const start = performance.now();
        const seen = until(() => adapter.title(card) === title);
        adapter.edit(card, title);
        taken.push((await seen) - start);
        await (pause ? new Promise((resolve) => setTimeout(resolve, pause)) : task());
      }
      return { started, ended: wall(performance.now()), taken };
    },
    /** Resolves with the time at which the view shows what edit(n, over, …) leaves. */
    async follow(n, over, mark) {
      const last = new Map();
      for (let k = 0; k < n; k++) last.set(id((k * 37) % over), `${mark} edit ${k}`);
      return wall(await until(() => {
        for (const [card, title] of last) {
          if (adapter.title(card) !== title) return false;
          last.delete(card); // its last edit: nothing follows
        }
        return true;
      }));
    },
    /** Has keys typed into a field edit one card; resolves with what each took, from the key and from its handler. */
    typed(n, card) {
      const field = document.body.appendChild(document.createElement("input"));
      field.focus();
      return new Promise((resolve) => {
        const keys = [];
        field.addEventListener("input", async (event) => {
          const start = performance.now();
          const title = field.value;
          const seen = until(() => adapter.title(card)?.startsWith(title)); // a later key may have come to be seen with it
          adapter.edit(card, title);
          const at = await seen;
          keys.push({ fromKey: at - event.timeStamp, fromHandler: at - start });
          if (keys.length === n) resolve(keys);
        });
      });
    },
    drained: () => adapter.drained(),
  };
}
