// What waits for the user: conflicts and rejected mutations.
import type { SpaceData } from "./engine.js";
import { TideError } from "./error.js";
import { valueOf } from "./merge/record.js";
import { noBlob } from "./protocol/ids.js";
import { conflictCollection } from "./protocol/op.js";
import type { Author, BlobID, Conflict as Settled, Mutation, Op, RecordState, RejectCode, Value, Verdict } from "./protocol/index.js";
import type { RejectedEntry } from "./rejected.js";
import { isObject } from "./rows.js";
import type { Space } from "./space.js";
import type { Tx } from "./tx.js";
import { sameList } from "./watch.js";
import { quiet, rejectedOps, whyRejected } from "./write.js";
import type { Write } from "./write.js";

/** One of the two edits of a conflict. */
export interface Version {
  readonly device: string;
  readonly user: string;
  /** When the edit was made, in milliseconds. */
  readonly time: number;
  /** What it wanted; undefined if it removed the field or deleted the record, or if the value is `long`. */
  readonly value: any;
  /** The value was too long to be told at once: {@link Conflict.load} fetches it. */
  readonly long: boolean;
}

/**
 * A collision of two edits. An open one waits for a person, and everybody who sees
 * the record sees it. A settled one was decided by the field's policy against this
 * device, which is told so; it stays until it is dealt with.
 */
export interface Conflict {
  /** Its name in the space. */
  readonly id: string;
  readonly open: boolean;
  /** The record and the field it is about; an empty field means the record's deletion. */
  readonly collection: string;
  readonly record: string;
  readonly field: string;
  /** The list element it is about; empty if none. */
  readonly element: string;
  /** The rule that decided. */
  readonly policy: string;
  /** What the author who lost had seen before; undefined if nothing or not known. */
  readonly base: any;
  /** This user's side, and the other. Of an open conflict between two others, `theirs` is the one that stands. */
  readonly mine: Version;
  readonly theirs: Version;
  /** Further values that lost in an open conflict. */
  readonly others: readonly Version[];
  /** Returns the value of one of the sides, asking the gateway if it is long. */
  load(side: Version): Promise<any>;
  /** Gives the field this user's value. */
  keepMine(): Write;
  /** Leaves everything as it stands, or gives the field the other's value. */
  keepTheirs(): Write;
  /** Gives the field another value; undefined removes it. */
  resolve(value: unknown): Write;
  /** Takes a settled conflict off the list and changes nothing. Throws a TideError for an open one: those are resolved. */
  dismiss(): void;
}

/** A mutation that the gateway rejected, wholly or in part. */
export interface RejectedMutation {
  readonly space: string;
  /** Its name in the space's list. */
  readonly id: number;
  readonly code: RejectCode;
  /** Fit for a user; it names the field. */
  readonly message: string;
  /** The field it is about; empty if it is not about one. */
  readonly path: string;
  readonly verdict: Verdict;
  readonly mutation: Mutation;
  /** The ops that were rejected; the others took effect. */
  readonly ops: readonly Op[];
  /** Makes the rejected ops anew, as a mutation made now. */
  retry(): Write;
  /** Makes other edits in place of the rejected ones, and takes the entry off the list, both in one. */
  edit(edit: (tx: Tx) => void): Write;
  discard(): void;
}

export function gone(): TideError {
  return new TideError("gone", "it is not in the list any more: it was retried, discarded, dismissed or resolved meanwhile");
}

/** Makes a function that turns lists of `from` into lists of `to`: the same objects for what did not change. */
export function kept<From extends object, To>(read: () => Iterable<From> | undefined, make: (from: From) => To): () => readonly To[] | undefined {
  let made = new Map<From, To>();
  let list: readonly To[] = [];
  return () => {
    const from = read();
    if (!from) return undefined;
    const next = new Map<From, To>();
    for (const f of from) next.set(f, made.get(f) ?? make(f));
    made = next;
    list = sameList([...next.values()], list);
    return list;
  };
}

/** Reads a space's conflicts. */
export function conflictsOf(space: Space): () => readonly Conflict[] | undefined {
  return kept<Settled | RecordState, Conflict>(
    () => {
      const { data } = space;
      return data && [...openRecords(data), ...data.conflicts];
    },
    (from) => ("lost" in from ? settledConflict(space, from) : openConflict(space, from)),
  );
}

function* openRecords({ view }: SpaceData): Iterable<RecordState> {
  for (const id of [...view.ids(conflictCollection)].sort()) {
    const record = view.get({ collection: conflictCollection, id });
    if (record) yield record;
  }
}

/** Reads a space's rejected mutations. */
export function rejectedOf(space: Space): () => readonly RejectedMutation[] | undefined {
  return kept<RejectedEntry, RejectedMutation>(
    () => space.data?.rejected,
    ({ order, verdict, mutation }) => ({
      space: space.name,
      id: order,
      ...whyRejected(verdict),
      verdict,
      mutation,
      ops: rejectedOps(mutation, verdict),
      retry: () => space.retry(order),
      edit: (edit) => space.retry(order, edit),
      discard: () => space.discard(order),
    }),
  );
}

/** A side, and where its value is. */
interface Side extends Version {
  readonly blob: BlobID;
}

function side(author: Author, time: number, value: Value | undefined, blob: BlobID): Side {
  return { device: author.device, user: author.user, time, value, blob, long: blob !== noBlob };
}

function load(space: Space, version: Version): Promise<any> {
  const { blob, value } = version as Side;
  return blob === noBlob ? Promise.resolve(value) : space.engine.fetch(space.name, blob);
}

/** A write that is made with a value which may have to be fetched first. */
function withValue(space: Space, version: Version, write: (value: any) => Write): Write {
  if (!version.long) return write(version.value);
  const later = load(space, version).then((value) => {
    if (value === undefined) throw new TideError("gone", "the overwritten value is not kept any more");
    return write(value);
  });
  return quiet({ local: later.then((w) => w.local), durable: later.then((w) => w.durable) });
}

function settledConflict(space: Space, c: Settled): Conflict {
  const of = (s: Settled["kept"]) => side(s.author, s.time, s.value, s.blob);
  const mine = of(c.lost);
  const dismiss = () => {
    if (!space.engine.dismiss(space.name, c)) throw gone();
  };
  // An ordinary edit, made now.
  const restore = (value: unknown): Write => {
    const write = space.mutate((tx) => {
      if (c.field === "") {
        if (tx.get(c.collection, c.id)) tx.delete(c.collection, c.id);
        else tx.undelete(c.collection, c.id);
        return;
      }
      tx.update(c.collection, c.id, (draft) => {
        const path = c.field.split(".");
        const last = path.pop() as string;
        const at = path.reduce((inner, name) => inner[name], draft);
        if (c.element) restoreElement(at[last], c.element, value);
        else if (value === undefined) delete at[last];
        else at[last] = value;
      });
    });
    space.engine.dismiss(space.name, c);
    return write;
  };
  return {
    id: [c.seq, c.collection, c.id, c.field, c.element].join("/"),
    open: false,
    collection: c.collection,
    record: c.id,
    field: c.field,
    element: c.element,
    policy: c.policy,
    base: c.base,
    mine,
    theirs: of(c.kept),
    others: [],
    load: (version) => load(space, version),
    keepMine: () => withValue(space, mine, restore),
    keepTheirs() {
      dismiss();
      return space.mutateOps([]);
    },
    resolve: restore,
    dismiss,
  };
}

/** Puts a list element back: in its place if it is still there, else at the end under a new id. */
function restoreElement(list: any, element: string, value: unknown): void {
  const there = [...list].some((e) => e.id === element);
  if (value === undefined) {
    if (!there) throw gone();
    list.remove(element);
  } else if (there) {
    list.set(element, value);
  } else {
    list.push(value);
  }
}

function openConflict(space: Space, state: RecordState): Conflict {
  const fields = new Map(state.fields.map((f) => [f.field, f.value]));
  const text = (name: string): string => {
    const value = fields.get(name);
    return typeof value === "string" ? value : "";
  };
  const author = (value: unknown): Author => (isObject(value) ? { device: String(value["device"]), user: String(value["user"]) } : { device: "", user: "" });
  const of = (name: "kept" | "lost"): Side =>
    side(author(fields.get(name + "By")), Number(fields.get(name + "Time") ?? 0), fields.get(name), text(name + "Blob") || noBlob);
  const [keptSide, lost] = [of("kept"), of("lost")];
  const others = fields.get("others");
  const me = (s: Version) => (s.device === space.data?.device ? 2 : s.user === space.engine.status().user ? 1 : 0);
  const swapped = me(keptSide) > me(lost);
  const resolve = (value: unknown) => space.mutate((tx) => tx.resolve(state.id, value));
  const [collection, record, field] = [text("collection"), text("id"), text("field")];
  // What stands now may be newer than what the conflict's record says.
  const leave = () =>
    space.mutate((tx) => {
      const now = space.data?.view.get({ collection, id: record });
      // For a deletion any value says that the record stays; nothing in it changes.
      tx.resolve(state.id, field === "" ? now && {} : valueOf(now, field));
    });
  const keepLost = () => withValue(space, lost, resolve);
  return {
    id: state.id,
    open: true,
    collection,
    record,
    field,
    element: "",
    policy: text("policy"),
    base: fields.get("base"),
    mine: swapped ? keptSide : lost,
    theirs: swapped ? lost : keptSide,
    others: Array.isArray(others)
      ? others.filter(isObject).map((o) => side(author(o), Number(o["time"] ?? 0), o["value"] as Value, String(o["blob"] ?? "") || noBlob))
      : [],
    load: (version) => load(space, version),
    keepMine: swapped ? leave : keepLost,
    keepTheirs: swapped ? keepLost : leave,
    resolve,
    dismiss() {
      throw new TideError("invalid", "an open conflict is not dismissed: resolve it, or keep one of its sides");
    },
  };
}
