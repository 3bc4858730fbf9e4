import { TideError, tideError } from "../error.js";
import type { SpaceOptions } from "../engine.js";
import type { LocalEngine } from "../shell.js";
import type { Changes } from "../watch.js";
import { mapErrors } from "./channel.js";
import type { Answer, Call, Message, PackedError, PendingState, Port, Sent, SpaceNews } from "./channel.js";
import type { Pending } from "../queue.js";
import type { CoreSpace } from "../core.js";

/** What the followers have been told of a space. */
interface Told {
  n: number;
  readonly pending: Map<Pending, { readonly id: number; marks: string }>;
}

/** Serves an engine to the tabs that follow. */
export class Leader {
  readonly #engine: LocalEngine;
  readonly #port: Port;
  /** What each tab that follows asked for is done in its order. */
  readonly #tabs = new Map<string, Promise<void>>();
  /** Who needs a space; "" is this tab. */
  readonly #holders = new Map<string, Set<string>>();
  readonly #told = new Map<string, Told>();
  readonly #origins = new WeakMap<Pending, string>();
  /** The origin of the mutation that is being submitted: it is told of before submit returns. */
  #submitting: string | undefined;
  #ids = 0;
  readonly #stop: () => void;

  /** `watchTab` calls back when the tab has died; `closed` is called after the user has signed out. */
  constructor(
    engine: LocalEngine,
    port: Port,
    readonly watchTab: (tab: string, dead: () => void) => void,
    readonly forget: () => Promise<void>,
  ) {
    this.#engine = engine;
    this.#port = port;
    this.#stop = engine.watch((event) => {
      if (event.kind === "space") this.#tell(event.space, event.changes);
      // A message costs the page more than most of what it does for an edit. Who joins
      // later is told.
      else if (this.#tabs.size > 0) this.#post({ kind: "status", status: packStatus(engine.status()) });
    });
    this.#post({ kind: "leader", n: 0 });
  }

  close(): void {
    this.#stop();
  }

  /** Notes that this tab, or another, needs a space. */
  hold(space: string, tab = ""): void {
    const holders = this.#holders.get(space) ?? new Set();
    this.#holders.set(space, holders.add(tab));
  }

  /** Notes that it does not; the last one releases it. */
  release(space: string, tab = ""): void {
    const holders = this.#holders.get(space);
    if (!holders?.delete(tab) || holders.size > 0) return;
    this.#told.delete(space);
    this.#engine.release(space);
  }

  hear(message: Message): void {
    const { from } = message;
    if (message.kind === "who") {
      this.#post({ kind: "leader", n: message.n }, from);
      return;
    }
    if (message.kind === "join") {
      if (!this.#tabs.has(from)) {
        this.watchTab(from, () => {
          this.#tabs.delete(from);
          for (const space of [...this.#holders.keys()]) this.release(space, from);
        });
      }
      this.#do(from, async () => {
        // Everything is done before anything is told: what the tab shows of its own
        // edits is exchanged for the leader's at once.
        const opened = message.spaces.map(([space, options]) => this.#open(from, space, options).catch(() => {}));
        await Promise.all(opened);
        for (const sent of message.sent) this.#submit(from, sent);
        for (const [space] of message.spaces) this.#tell(space, undefined, from);
        this.#post({ kind: "status", status: packStatus(this.#engine.status()) }, from);
        for (const call of message.calls) void this.#call(from, call);
      });
      return;
    }
    // What was said to an earlier leader comes again with the tab's join, in order:
    // taken out of order, what was made before it would look like what was taken.
    if (!this.#tabs.has(from)) return;
    if (message.kind === "mutate") this.#do(from, () => this.#submit(from, message.sent));
    else if (message.kind === "call") this.#do(from, () => void this.#call(from, message.call));
  }

  #do(tab: string, work: () => void | Promise<void>): void {
    this.#tabs.set(tab, (this.#tabs.get(tab) ?? Promise.resolve()).then(work));
  }

  #post(answer: Answer, to?: string): void {
    this.#port.post(answer, to);
  }

  async #open(tab: string, space: string, options: SpaceOptions): Promise<void> {
    this.hold(space, tab);
    await this.#engine.open(space, options);
  }

  #submit(tab: string, { space, counter, mutation, replaces }: Sent): void {
    const refused = (error: TideError) => this.#post({ kind: "judged", counter, error: packError(error) }, tab);
    try {
      this.#submitting = `${tab}/${counter}`;
      const { pending, local, durable } = this.#engine.submit(space, mutation, replaces, { tab, counter });
      if (pending && this.#origins.get(pending) !== this.#submitting) {
        this.#origins.set(pending, this.#submitting);
        this.#tell(space, {}); // an earlier leader took it: now it has its name
      }
      // An engine that ends says nothing about the mutation: the next leader will know.
      local.then(() => this.#post({ kind: "local", counter }, tab), () => {});
      durable.then((judged) => this.#post({ kind: "judged", counter, judged }, tab), () => {});
    } catch (error) {
      const why = tideError(error, "invalid");
      if (why.code !== "closed") refused(why);
    } finally {
      this.#submitting = undefined;
    }
  }

  async #call(tab: string, { id, method, args }: Call): Promise<void> {
    try {
      let value: unknown;
      const [space, second] = args as [string, never];
      if (method === "open") {
        await this.#open(tab, space, second);
        this.#tell(space, undefined, tab);
      } else if (method === "release") this.release(space, tab);
      else if (method === "forget") await this.forget();
      else value = await (this.#engine[method] as (...args: readonly unknown[]) => unknown)(...args);
      this.#post({ kind: "answer", id, value }, tab);
    } catch (error) {
      this.#post({ kind: "answer", id, error: packError(tideError(error, "closed")) }, tab);
    }
  }

  /** Tells all followers what changed in a space, or one that joins everything. */
  #tell(space: string, changes: Partial<Changes> | undefined, to?: string): void {
    const s = this.#engine.core?.spaces.get(space);
    let told = this.#told.get(space);
    if (!s?.opened || (!told && to === undefined)) return;
    if (!told) this.#told.set(space, (told = { n: 0, pending: new Map() }));
    if (changes && this.#tabs.size === 0) {
      this.#told.delete(space); // nobody listens: who joins later is told everything
      return;
    }
    const keys = changes?.keys === "all" ? [] : (changes?.keys ?? []);
    if (!changes) this.#tell(space, {}); // the others first: then all know the same
    const news: SpaceNews = {
      space,
      n: changes ? ++told.n : told.n,
      whole: !changes,
      records: changes
        ? keys.map((key) => [key, s.view.confirmed(key)] as const)
        : [...s.view.records.values()].flatMap((records) => [...records.values()].map((record) => [record, record] as const)),
      ...this.#pending(s, told, !changes),
      device: s.device,
      base: s.base,
      ...((!changes || changes.rejected) && { rejected: s.rejected }),
      ...((!changes || changes.conflicts) && { conflicts: s.conflicts }),
      ...((!changes || changes.presence) && { present: s.present }),
      ...((!changes || changes.status) && { status: packStatus(s.status) }),
    };
    this.#post({ kind: "news", news }, to);
  }

  #pending(s: CoreSpace, told: Told, whole: boolean): Pick<SpaceNews, "pending" | "gone"> {
    const pending: PendingState[] = [];
    const now = [...s.leaving, ...s.queue];
    for (const p of now) {
      const { mutation, judged, leaveAt, exact, sent } = p;
      if (this.#submitting && p === now.at(-1) && !told.pending.has(p) && !this.#origins.has(p)) this.#origins.set(p, this.#submitting);
      const origin = this.#origins.get(p);
      const marks = [judged, leaveAt, exact, sent, origin, mutation.base].join();
      let known = told.pending.get(p);
      if (whole || known?.marks !== marks) {
        if (!known) told.pending.set(p, (known = { id: ++this.#ids, marks }));
        known.marks = marks;
        pending.push({ id: known.id, origin, mutation, judged, leaveAt, exact, sent });
      }
    }
    const gone: number[] = [];
    if (told.pending.size > now.length) {
      const here = new Set(now);
      for (const [p, { id }] of told.pending) {
        if (here.has(p)) continue;
        told.pending.delete(p);
        gone.push(id);
      }
    }
    return { pending, gone };
  }
}

function packError({ code, message, field }: TideError): PackedError {
  return { code, message, field };
}

/** A status with its error as plain data. */
function packStatus<T extends object>(status: T): T {
  return mapErrors(status, (error) => (error instanceof TideError ? packError(error) : error));
}
