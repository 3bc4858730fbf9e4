import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { StrictMode, act, memo } from "react";
import type { ReactNode } from "react";
import { renderToString } from "react-dom/server";
import { create } from "react-test-renderer";
import type { ReactTestRenderer } from "react-test-renderer";
import { TideError, createClient, memoryStore } from "../../src/index.js";
import type { Client, Space } from "../../src/index.js";
import {
  TideProvider, useConflicts, useMutation, usePresence, useQuery, useRecord, useRejected, useSpace, useSpaceStatus, useStatus, useTide,
} from "../../src/react/index.js";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

let client: Client;
let space: Space;
let shown: ReactTestRenderer | undefined;

beforeEach(async () => {
  client = createClient({ url: "ws://x", store: memoryStore(), dial: () => Promise.reject(new TideError("unreachable", "no gateway here")) });
  space = client.space("board");
  await space.ready;
});

afterEach(async () => {
  if (shown) await act(async () => shown!.unmount());
  shown = undefined;
  vi.useRealTimers();
  await client.close();
});

async function render(node: ReactNode, strict = true): Promise<ReactTestRenderer> {
  const inner = <TideProvider client={client}>{node}</TideProvider>;
  await act(async () => {
    shown = create(strict ? <StrictMode>{inner}</StrictMode> : inner);
  });
  return shown!;
}

const text = () => JSON.stringify(shown!.toJSON());
const cards = () => space.collection("cards");

describe("useQuery", () => {
  test("shows the rows, and renders again only those that changed", async () => {
    const rendered: string[] = [];
    const Card = memo(function Card({ row }: { row: { id: string; title: string } }) {
      rendered.push(row.id);
      return <li>{row.title}</li>;
    });
    function List() {
      const rows = useQuery(useSpace("board").collection("cards"), { where: { done: { ne: true } }, orderBy: { title: "asc" } });
      return <ul>{rows.map((row) => <Card key={row.id} row={row as never} />)}</ul>;
    }
    cards().create({ title: "b" }, "c1");
    cards().create({ title: "a" }, "c2");
    await render(<List />, false);
    expect(text()).toContain('"a"');
    rendered.length = 0;
    await act(async () => void cards().update("c1", (draft) => (draft.title = "z")));
    expect(rendered).toEqual(["c1"]);
    expect(text()).toMatch(/"a".*"z"/);
    await act(async () => void cards().update("c2", (draft) => (draft.done = true)));
    expect(text()).not.toContain('"a"');
  });

  test("takes other options, and functions with what they depend on", async () => {
    function List({ least, size }: { least: number; size: number }) {
      const all = useQuery(cards(), { where: { votes: { gte: least } }, limit: size });
      const odd = useQuery(cards(), { where: (row) => row["votes"] % 2 === 1 && row["votes"] >= least }, [least]);
      return <p>{`${all.map((row) => row["votes"]).join()}|${odd.map((row) => row["votes"]).join()}`}</p>;
    }
    for (let votes = 1; votes <= 5; votes++) cards().create({ votes }, `c${votes}`);
    await render(<List least={2} size={9} />);
    expect(text()).toContain("2,3,4,5|3,5");
    await act(async () => shown!.update(<TideProvider client={client}><List least={4} size={1} /></TideProvider>));
    expect(text()).toContain('"4|5"');
  });

  test("a function without what it depends on is refused", async () => {
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    function Wrong() {
      useQuery(cards(), { where: () => true });
      return null;
    }
    await expect(render(<Wrong />)).rejects.toThrow(/third argument/);
    error.mockRestore();
    shown = undefined;
  });
});

test("useRecord shows one record, and renders for no other", async () => {
  let renders = 0;
  function One({ id }: { id: string | undefined }) {
    renders++;
    const card = useRecord(cards(), id);
    return <p>{card ? `${card["title"]}${card._pending ? "*" : ""}` : "none"}</p>;
  }
  await render(<One id="c1" />, false);
  expect(text()).toContain("none");
  await act(async () => void cards().create({ title: "a" }, "c1"));
  expect(text()).toContain("a*");
  const before = renders;
  await act(async () => void cards().create({ title: "b" }, "c2"));
  expect(renders).toBe(before);
  await act(async () => shown!.update(<TideProvider client={client}><One id="c2" /></TideProvider>));
  expect(text()).toContain("b*");
  await act(async () => shown!.update(<TideProvider client={client}><One id={undefined} /></TideProvider>));
  expect(text()).toContain("none");
});

test("useMutation makes edits and shows what became of them", async () => {
  let go: (edit: (tx: any) => void) => unknown = () => undefined;
  let reset = () => {};
  function Form() {
    const [mutate, state] = useMutation(space);
    go = mutate;
    reset = state.reset;
    return <p>{`${state.pending} ${state.error?.message ?? "fine"}`}</p>;
  }
  await render(<Form />);
  const first = go;
  await act(async () => expect(go((tx) => tx.create("cards", { title: "a" }))).toBeDefined());
  expect(text()).toContain("1 fine");
  expect(go).toBe(first);
  await act(async () => expect(go(() => { throw new Error("not so"); })).toBeUndefined());
  expect(text()).toContain("1 not so");
  await act(async () => reset());
  expect(text()).toContain("1 fine");
});

test("useStatus, useSpaceStatus, useConflicts, useRejected and usePresence show what there is", async () => {
  const set = vi.spyOn(client.engine, "setPresence");
  let show: (value: unknown) => void = () => {};
  function All() {
    const status = useStatus();
    const of = useSpaceStatus(space);
    const [people, own] = usePresence(space);
    show = own;
    return <p>{`${status.pending} ${of?.state} ${useConflicts(space).length} ${useRejected(space).length} ${useRejected(useTide()).length} ${people.length}`}</p>;
  }
  await render(<All />);
  expect(text()).toContain("0 offline 0 0 0 0");
  await act(async () => void cards().create({ title: "a" }, "c1"));
  expect(text()).toContain("1 offline 0 0 0 0");
  await act(async () => show({ cursor: 1 }));
  await act(async () => shown!.unmount());
  shown = undefined;
  expect(set.mock.calls.map((call) => call[1])).toEqual([{ cursor: 1 }, undefined]);
});

describe("useSpace", () => {
  function Name({ name }: { name: string }) {
    return <p>{useSpace(name).name}</p>;
  }

  test("keeps a space open while a component uses it, through strict mode and remounting", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const release = vi.spyOn(client.engine, "release");
    await render(<><Name name="extra" /><Name name="extra" /></>);
    await act(async () => void vi.advanceTimersByTime(10_000));
    expect(release).not.toHaveBeenCalled();
    await act(async () => shown!.update(<TideProvider client={client}><Name name="extra" /></TideProvider>));
    await act(async () => void vi.advanceTimersByTime(10_000));
    expect(release).not.toHaveBeenCalled();
    await act(async () => shown!.update(<TideProvider client={client}><Name name="other" /></TideProvider>));
    await act(async () => void vi.advanceTimersByTime(10_000));
    expect(release.mock.calls).toEqual([["extra"]]);
  });

  test("a space that was rendered and never mounted is let go", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const release = vi.spyOn(client.engine, "release");
    renderToString(<TideProvider client={client}><Name name="extra" /></TideProvider>);
    vi.advanceTimersByTime(10_000);
    expect(release.mock.calls).toEqual([["extra"]]);
  });
});

test("on the server there are no rows yet, whatever the client has", () => {
  cards().create({ title: "a" }, "c1");
  function List() {
    return <p>{useQuery(cards()).length}</p>;
  }
  expect(renderToString(<TideProvider client={client}><List /></TideProvider>)).toBe("<p>0</p>");
});

test("a hook outside of a provider says what is missing", () => {
  function Lost() {
    useStatus();
    return null;
  }
  expect(() => renderToString(<Lost />)).toThrow(/TideProvider/);
});
