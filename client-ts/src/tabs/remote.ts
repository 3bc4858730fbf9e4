import type { Engine, EngineEvent, Judged, SpaceData, SpaceOptions, Submission } from "../engine.js";
import { TideError } from "../error.js";
import { sameState } from "../merge/record.js";
import type { Kinds } from "../merge/index.js";
import { sameConflict } from "../notice.js";
import { noDevice } from "../protocol/ids.js";
import type { BlobID, Conflict, DeviceID, DevicePresence, Mutation, Value } from "../protocol/index.js";
import type { RejectedEntry } from "../rejected.js";
import type { SpaceStatus, Status } from "../status.js";
import { View } from "../view.js";
import type { Predicted } from "../view.js";
import { waiting } from "../waiting.js";
import type { Waiting } from "../waiting.js";
import { keyOf, keyText, tell } from "../watch.js";
import { unpackError, unpackStatus } from "./channel.js";
import type { Answer, Call, PendingState, Port, Request, Sent, SpaceNews } from "./channel.js";

/** A mutation of this tab without a verdict. It is sent to each new leader until it has one. */
export interface Mine extends Sent {
  readonly locally: Waiting<void>;
  readonly durably: Waiting<Judged>;
  /** Predicted by this tab; undefined once the leader's view has it. */
  predicted: Predicted | undefined;
}

interface Asked extends Call {
  readonly answer: Waiting<unknown>;
}

/** What a follower leaves to the engine that it becomes. */
export interface Left {
  /** In the order of their counters. */
  readonly mine: readonly Mine[];
  readonly asked: Iterable<Asked>;
  readonly opened: Iterable<Waiting<void>>;
}

/** What a follower knows of a space: the leader's, and its own edits that the leader has not taken yet on top. */
class Replica implements SpaceData {
  readonly keys = new Set<string>();
  readonly view: View;
  device: DeviceID = noDevice;
  base = 0;
  rejected: readonly RejectedEntry[] = [];
  conflicts: readonly Conflict[] = [];
  present: readonly DevicePresence[] = [];
  status!: SpaceStatus;
  /** The leader's pending mutations. */
  readonly pending = new Map<number, Predicted>();
  n = -1;

  constructor(
    readonly name: string,
    kinds: Kinds | undefined,
  ) {
    this.view = new View((key) => this.keys.add(key), kinds);
  }
}

/** What a follower must know of its tab. */
export interface RemoteOptions {
  readonly kinds: Kinds | undefined;
  readonly now: () => number;
  readonly newID: () => string;
}

const absent: Status = {
  state: "offline", pending: 0, sent: 0, rejected: 0, conflicts: 0, leader: false, lastError: undefined, retryAt: undefined,
  user: "", lagMs: 0, clockMs: 0, evicted: false,
};

/** Follows another tab's engine: it shows what that has, and its own edits at once. */
export class RemoteEngine implements Engine {
  readonly #replicas = new Map<string, Replica>();
  readonly #wanted = new Map<string, SpaceOptions>();
  readonly #opened = new Map<string, Waiting<void>>();
  /** In the order of their counters. */
  #mine: Mine[] = [];
  readonly #asked = new Map<number, Asked>();
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  #counter = 0;
  #calls = 0;
  #whos = 0;
  #leader: string | undefined;
  #theirs: Status = absent;
  #status: Status = absent;
  #error: TideError | undefined;
  #over = false;

  constructor(
    readonly port: Port,
    readonly options: RemoteOptions,
  ) {}

  open(space: string, options: SpaceOptions): Promise<void> {
    const opened = this.#opened.get(space) ?? waiting<void>();
    if (!this.#opened.has(space)) {
      this.#opened.set(space, opened);
      this.#wanted.set(space, options);
      this.#call("open", space, options).catch((error) => opened.reject(error));
    }
    return opened.promise;
  }

  release(space: string): void {
    this.#wanted.delete(space);
    this.#opened.delete(space);
    this.#replicas.delete(space);
    void this.#call("release", space);
  }

  space(space: string): SpaceData | undefined {
    return this.#replicas.get(space);
  }

  mutate(space: string, mutation: Mutation, replaces?: number): Submission {
    const s = this.#replicas.get(space);
    if (this.#over || !s) throw this.#error ?? new TideError("invalid", `the space ${JSON.stringify(space)} is not open`);
    const predicted: Predicted = { mutation, judged: false, leaveAt: 0, exact: false, sent: false };
    const mine: Mine = { space, mutation, replaces, counter: ++this.#counter, locally: waiting(), durably: waiting(), predicted };
    this.#mine.push(mine);
    s.view.predict(predicted);
    if (replaces !== undefined) s.rejected = s.rejected.filter((e) => e.order !== replaces);
    this.#post({ kind: "mutate", sent: sentOf(mine) });
    this.#changed(s, { rejected: replaces !== undefined });
    this.#statusChanged();
    return { local: mine.locally.promise, durable: mine.durably.promise };
  }

  discard(space: string, entry: number): boolean {
    const s = this.#replicas.get(space);
    if (!s?.rejected.some((e) => e.order === entry)) return false;
    s.rejected = s.rejected.filter((e) => e.order !== entry);
    void this.#call("discard", space, entry);
    this.#changed(s, { rejected: true });
    return true;
  }

  dismiss(space: string, conflict: Conflict): boolean {
    const s = this.#replicas.get(space);
    if (!s?.conflicts.some((c) => sameConflict(c, conflict))) return false; // they are copies here
    s.conflicts = s.conflicts.filter((c) => !sameConflict(c, conflict));
    void this.#call("dismiss", space, conflict);
    this.#changed(s, { conflicts: true });
    return true;
  }

  setPresence(space: string, value: Value | undefined): void {
    void this.#call("setPresence", space, value);
  }

  fetch(space: string, blob: BlobID): Promise<Value | undefined> {
    return this.#call("fetch", space, blob) as Promise<Value | undefined>;
  }

  export(): Promise<Uint8Array> {
    return this.#call("export") as Promise<Uint8Array>;
  }

  reconnect(): void {
    void this.#call("reconnect");
  }

  stats(): undefined {}

  status(): Status {
    return this.#status;
  }

  watch(listener: (event: EngineEvent) => void): () => void {
    const own = (event: EngineEvent) => listener(event);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  now(): number {
    return this.options.now();
  }

  newID(): string {
    return this.options.newID();
  }

  /** Stops following. `forget` asks the leader to clear the store, and then everybody ends. */
  async close(forget = false): Promise<void> {
    if (forget) await this.#call("forget");
    this.end(new TideError("closed", "the client was closed"));
  }

  /** Everything that waits is over. */
  end(why: TideError): void {
    if (this.#over) return;
    this.#over = true;
    this.fail(why);
    for (const mine of this.#mine) reject(mine, why);
    for (const { answer } of this.#asked.values()) answer.reject(why);
    for (const opened of this.#opened.values()) opened.reject(why);
  }

  /** Shows an error in the status; undefined takes it away. */
  fail(why: TideError | undefined): void {
    this.#error = why;
    this.#statusChanged();
  }

  /** Whether there is a leader of this tab's version. */
  get following(): boolean {
    return this.#leader !== undefined;
  }

  /** Whether the app has signed out, and waits for a leader to do it. */
  get forgetting(): boolean {
    return [...this.#asked.values()].some(({ method }) => method === "forget");
  }

  /** The spaces that this tab's app needs. */
  get wanted(): ReadonlyMap<string, SpaceOptions> {
    return this.#wanted;
  }

  /** The same, and those of which mutations are under way. */
  needed(): Map<string, SpaceOptions> {
    return new Map([...this.#mine.map(({ space }) => [space, {}] as const), ...this.#wanted]);
  }

  /** Stops following, and returns everything that waits: the tab leads now. */
  leave(): Left {
    this.#over = true;
    return { mine: this.#mine, asked: this.#asked.values(), opened: this.#opened.values() };
  }

  /** Hears the leader. */
  hear(from: string, answer: Answer): void {
    if (this.#over) return;
    if (answer.kind === "leader") {
      if (answer.n === this.#whos) {
        this.#leader = from;
        this.fail(undefined);
        this.#join();
      } else if (answer.n === 0 && from !== this.#leader) this.who();
      return;
    }
    if (answer.kind === "closed") {
      for (const { method, answer: over } of this.#asked.values()) if (method === "forget") over.resolve(undefined);
      this.end(new TideError("closed", "the user has signed out, perhaps in another tab"));
      return;
    }
    if (from !== this.#leader) return; // an earlier one's last words: the present one knows better
    switch (answer.kind) {
      case "news":
        this.#take(answer.news);
        break;
      case "status":
        this.#theirs = unpackStatus(answer.status);
        this.#statusChanged();
        break;
      case "local":
        this.#find(answer.counter)?.locally.resolve();
        break;
      case "judged": {
        const mine = this.#drop(answer.counter);
        const { judged, error } = answer;
        if (error) reject(mine, unpackError(error));
        mine?.locally.resolve();
        if (judged) mine?.durably.resolve(judged);
        break;
      }
      case "answer": {
        const asked = this.#asked.get(answer.id);
        this.#asked.delete(answer.id);
        if (answer.error) asked?.answer.reject(unpackError(answer.error));
        else asked?.answer.resolve(answer.value);
      }
    }
  }

  /**
   * Asks who leads. What is not an answer to the last question counts for nothing:
   * an earlier leader's words may come after it has died, and behind the next one's.
   */
  who(): void {
    this.port.post({ kind: "who", n: ++this.#whos });
  }

  #join(): void {
    this.#post({
      kind: "join",
      spaces: [...this.needed()],
      sent: this.#mine.map(sentOf),
      calls: [...this.#asked.values()].map(({ id, method, args }) => ({ id, method, args })),
    });
  }

  #post(request: Request): void {
    // Without a leader it waits: everything comes with the join.
    if (this.#leader !== undefined) this.port.post(request, this.#leader);
  }

  #call(method: Call["method"], ...args: readonly unknown[]): Promise<unknown> {
    const asked: Asked = { id: ++this.#calls, method, args, answer: waiting() };
    if (this.#over) asked.answer.reject(this.#error ?? new TideError("closed", "the client was closed"));
    else {
      this.#asked.set(asked.id, asked);
      this.#post({ kind: "call", call: { id: asked.id, method, args } });
    }
    return asked.answer.promise;
  }

  #find(counter: number): Mine | undefined {
    return this.#mine.find((mine) => mine.counter === counter);
  }

  /** Takes a mutation of this tab off the list, and out of the view if the leader's does not have it. */
  #drop(counter: number): Mine | undefined {
    const mine = this.#find(counter);
    if (!mine) return undefined;
    this.#mine = this.#mine.filter((each) => each !== mine);
    const s = this.#replicas.get(mine.space);
    if (s && mine.predicted) {
      s.view.unpredict(mine.predicted);
      this.#changed(s);
    }
    this.#statusChanged();
    return mine;
  }

  /** Takes news of a space into its replica. */
  #take(news: SpaceNews): void {
    const wanted = this.#wanted.has(news.space);
    let s = this.#replicas.get(news.space);
    if (!wanted || (!s && !news.whole)) return;
    if (s && !news.whole && news.n !== s.n + 1) {
      if (news.n > s.n) this.#join(); // something was missed
      return;
    }
    if (!s) this.#replicas.set(news.space, (s = new Replica(news.space, this.options.kinds)));
    const { view } = s;
    s.n = news.n;
    // What this tab predicts by itself stands on top of everything else.
    const own = this.#mine.filter((mine) => mine.space === news.space && mine.predicted);
    for (const { predicted } of own) view.unpredict(predicted as Predicted);
    if (news.whole) {
      for (const p of s.pending.values()) view.unpredict(p);
      s.pending.clear();
      const here = new Set(news.records.map(([key]) => keyText(key)));
      for (const key of [...view.keys()]) if (!here.has(keyText(key))) view.set(key, undefined);
    }
    for (const [key, record] of news.records) {
      if (sameState(view.confirmed(key), record)) view.refresh(keyText(key));
      else view.set(key, record);
    }
    for (const state of news.pending) this.#predict(s, state);
    for (const id of news.gone) {
      const p = s.pending.get(id);
      s.pending.delete(id);
      if (p) view.unpredict(p);
    }
    for (const { predicted } of own) if (predicted) view.predict(predicted); // the leader has not taken it meanwhile
    const { device, base, rejected, conflicts, present, status } = news;
    s.device = device;
    s.base = base;
    if (rejected) s.rejected = rejected;
    if (conflicts) s.conflicts = conflicts;
    if (present) s.present = present;
    if (status) s.status = unpackStatus(status);
    this.#changed(s, { rejected: !!rejected, conflicts: !!conflicts, presence: !!present, status: !!status });
    this.#opened.get(news.space)?.resolve();
  }

  /** Takes a pending mutation of the leader's into the view. One that this tab made is not its own any more. */
  #predict(s: Replica, { id, origin, ...state }: PendingState): void {
    const p = s.pending.get(id);
    if (p) {
      Object.assign(p, state, { effects: p.effects });
      s.view.refreshAll(p);
    } else {
      const predicted: Predicted = { ...state };
      s.pending.set(id, predicted);
      s.view.predict(predicted);
    }
    const [tab, counter] = origin?.split("/") ?? [];
    const mine = tab === this.port.tab ? this.#find(Number(counter)) : undefined;
    if (mine) mine.predicted = undefined;
  }

  #changed(s: Replica, differs: { rejected?: boolean; conflicts?: boolean; presence?: boolean; status?: boolean } = {}): void {
    const changes = { keys: Array.from(s.keys, keyOf), rejected: false, conflicts: false, presence: false, status: false, ...differs };
    s.keys.clear();
    tell(this.#listeners, { kind: "space", space: s.name, changes });
  }

  #statusChanged(): void {
    const waits = this.#mine.filter((mine) => mine.predicted).length;
    const theirs = this.#theirs;
    this.#status = {
      ...theirs,
      leader: false,
      pending: theirs.pending + waits,
      ...(this.#error && { lastError: this.#error, ...(this.#over && { state: "stopped" as const }) }),
    };
    tell(this.#listeners, { kind: "status" });
  }
}

function reject(mine: Mine | undefined, why: TideError): void {
  mine?.locally.reject(why);
  mine?.durably.reject(why);
}

function sentOf({ space, counter, mutation, replaces }: Sent): Sent {
  return { space, counter, mutation, replaces };
}

