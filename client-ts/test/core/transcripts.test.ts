// The Go core's transcripts as vectors: what a core is given, and what it answers,
// to the byte. See client/testdata/vectors/README.md.
import { existsSync, readdirSync } from "node:fs";
import { expect } from "vitest";
import { dismiss, fetch } from "../../src/conflicts.js";
import { Core } from "../../src/core.js";
import type { CoreEvent, Ready } from "../../src/core.js";
import { message } from "../../src/cursor.js";
import { TideError } from "../../src/error.js";
import { stateHash } from "../../src/merge/index.js";
import { persisted } from "../../src/persist.js";
import { setPresence } from "../../src/presence.js";
import { compareText, decodeMessage, decodeMutation, encodeRecordState, fromHex, outcomes, toHex } from "../../src/protocol/index.js";
import type { Conflict, Mutation, OpVerdict } from "../../src/protocol/index.js";
import { mutate } from "../../src/queue.js";
import { connectFailed, connected, disconnected, reconnect, tokenRefreshed } from "../../src/reconnect.js";
import { discard } from "../../src/rejected.js";
import type { Entry } from "../../src/store/store.js";
import { Making } from "../../src/tx.js";
import { keyText } from "../../src/watch.js";
import { runVectors, tagged, untagged } from "../vectors.js";

type Step = { readonly do: string; readonly now: number } & { readonly [name: string]: any };

const broken = new TideError("unreachable", "the test says so");

/** Gives a core an input. */
function step(core: Core, s: Step): void {
  const { now, space } = s;
  /** The ref of what is made; 0 if it is refused. */
  const made = (make: () => number) => {
    let ref = 0;
    try {
      ref = make();
    } catch (error) {
      expect(error).toBeInstanceOf(TideError);
    }
    expect(ref, "the ref").toBe(s["ref"] ?? 0);
  };
  switch (s.do) {
    case "start":
      return core.start(now);
    case "open":
      return core.open(now, space, s["options"]);
    case "tick":
      return core.wake(now);
    case "mutate":
      return made(() => mutate(core, now, space, decodeMutation(fromHex(s["body"]))));
    case "retry":
      return made(() => mutate(core, now, space, again(core, now, space, decodeMutation(fromHex(s["body"]))), s["entry"]));
    case "discard":
      return void discard(core, space, s["entry"]);
    case "dismiss":
      return void dismiss(core, space, decodeMessage(fromHex(s["conflict"]))[0] as unknown as Conflict);
    case "setPresence":
      return setPresence(core, now, space, "value" in s ? untagged(s["value"]) : undefined);
    case "fetch":
      return void fetch(core, now, space, s["blob"]);
    case "connected":
      return connected(core, now, s["token"]);
    case "connectFailed":
      return connectFailed(core, now, broken);
    case "disconnected":
      return disconnected(core, now, s["code"] ?? 0, broken);
    case "reconnect":
      return reconnect(core, now);
    case "tokenRefreshed":
      return tokenRefreshed(core, now, s["failed"] ? broken : s["token"]);
    case "message":
      return message(core, now, fromHex(s["message"]));
    case "persisted":
      return persisted(core, now, s["token"]);
  }
  throw new Error(`unknown input ${s.do}`);
}

/** Ops made anew, as a mutation of now: as Space.retry does. */
function again(core: Core, now: number, name: string, { ops }: Mutation): Mutation {
  const s = core.space(name);
  const tx = new Making({
    rules: undefined,
    kinds: undefined,
    base: s.base,
    now: () => Math.max(now, core.now),
    newID: () => "",
    look: (key) => s.view.look(key),
    row: () => undefined,
  });
  for (const op of ops) tx.again(op);
  return tx.finish();
}

const pairs = (entries: readonly Entry[]) => entries.map(({ key, value }) => [toHex(key), toHex(value)]);

/** An answer as vectors show it. */
function shown(r: Ready): object {
  const { persist, send, connect, freshToken, refreshToken, close, events, wake } = r;
  return whole({
    persist: persist && {
      token: persist.token,
      puts: pairs(persist.puts),
      deletes: persist.deletes.map((key) => toHex(key)),
    },
    send: send.map((data) => toHex(data)),
    connect,
    freshToken,
    refreshToken,
    close: close && { code: close.code },
    events: events.map(shownEvent),
    wake,
  });
}

function shownEvent(e: CoreEvent): any {
  const kind = ["local", "settled", "changed", "fetched", "status"].indexOf(e.kind) + 1;
  switch (e.kind) {
    case "local":
      return { kind, ref: e.ref };
    case "settled": {
      const op = (v: OpVerdict) => ({ code: v.code, field: v.field, message: v.message, outcome: outcomes.indexOf(v.outcome) });
      const { verdict } = e;
      return whole({
        kind,
        space: e.space,
        ref: e.ref,
        verdict: { ...op(verdict), counter: verdict.counter, seq: verdict.seq, ops: verdict.ops.map(op) },
      });
    }
    case "changed":
      return { kind, space: e.space, changes: e.changes };
    case "fetched":
      return whole({ kind, space: e.space, blob: e.blob, value: e.value === undefined ? undefined : tagged(e.value) });
    case "status":
      return { kind };
  }
}

/** What is empty, zero or false is left out. */
function whole(x: { readonly [name: string]: unknown }): object {
  return Object.fromEntries(Object.entries(x).filter(([, v]) => v !== undefined && v !== 0 && v !== false && !(Array.isArray(v) && v.length === 0)));
}

/**
 * This core also tells of records whose marks changed alone (how far their edits
 * are): more keys than the Go core's, and events that have nothing else. They are
 * taken out, after those that the Go core tells of were found.
 */
function withoutMarks(got: any, want: any): object {
  const events = (got.events ?? []) as any[];
  const wanted = (want?.events ?? []) as any[];
  const kept = events.flatMap((e) => {
    if (e.kind !== 3) return e;
    const theirs = wanted.find((w) => w.kind === 3 && w.space === e.space);
    const { keys, ...flags } = e.changes;
    if (!theirs) return Object.values(flags).some(Boolean) ? e : [];
    const told = new Set(keys.map(keyText));
    const common = theirs.changes.keys.filter((key: any) => told.has(keyText(key)));
    return { ...e, changes: { ...flags, keys: common } };
  });
  return whole({ ...got, events: kept });
}

function life(given: any, input: Step[][], want: any): object {
  const random = fromHex(given.random ?? "");
  let drawn = 0;
  const core = new Core({
    client: "test",
    ...given.config,
    random(n) {
      drawn += n;
      if (drawn > random.length) throw new Error("it draws more random bytes than the Go core did");
      return random.slice(drawn - n, drawn);
    },
  });
  for (const [key, value] of given.store) core.load({ key: fromHex(key), value: fromHex(value) });
  const ready = input.map((steps, i) => {
    for (const s of steps) step(core, s);
    const got = withoutMarks(shown(core.ready()), want.ready[i]);
    expect(JSON.parse(JSON.stringify(got)), `the answer ${i}, to ${steps.map((s) => s.do).join(", ")}`).toEqual(want.ready[i]);
    return got;
  });
  const spaces: { [name: string]: object } = {};
  for (const s of core.sorted) {
    const records = [...s.view.records.values()].flatMap((some) => [...some.values()]);
    const keys = new Map([...s.view.keys()].map((key) => [keyText(key), key]));
    for (const p of [...s.leaving, ...s.queue]) for (const e of p.effects ?? []) keys.set(e.text, e.key);
    const view = [...keys.values()]
      .sort((a, b) => compareText(a.collection, b.collection) || compareText(a.id, b.id))
      .flatMap((key) => s.view.get(key) ?? [])
      .map((record) => toHex(encodeRecordState(record)));
    spaces[s.name] = { stateHash: stateHash(records), view };
  }
  return { ready, spaces };
}

for (const dir of ["client/testdata/vectors", "internal/sim/testdata/vectors"]) {
  const url = new URL(`../../../${dir}`, import.meta.url);
  if (!existsSync(url)) continue;
  for (const file of readdirSync(url).sort()) if (file.endsWith(".json")) runVectors(`${dir}/${file}`, life);
}
