// Mutations of other tabs that an earlier leader took: a tab that sends one again
// wants to know what became of it. The store has no names of tabs in its queue
// (a body is the same bytes everywhere), so they are known by their content.
import type { Core } from "../core.js";
import type { Judged } from "../engine.js";
import { sameBytes } from "../layout.js";
import { encodeMutation } from "../protocol/index.js";
import type { Mutation, Verdict } from "../protocol/index.js";
import type { Pending } from "../queue.js";

/** Whether two mutations are the same edit: a queue sets the base and the schema's version. */
function sameEdit(a: Mutation, b: Mutation): boolean {
  const { base, schemaVersion } = a;
  return a.editTime === b.editTime && a.ops.length === b.ops.length && sameBytes(encodeMutation(a), encodeMutation({ ...b, base, schemaVersion }));
}

/** The place in a space's queue of a mutation that was taken; undefined if it has left it. */
export function taken(c: Core, space: string, mutation: Mutation): Pending | undefined {
  const s = c.spaces.get(space);
  return s && [...s.queue, ...s.leaving].find((p) => sameEdit(p.mutation, mutation));
}

/**
 * What became of a mutation that was judged: it stands in the list of rejections,
 * or it took effect, or the user has discarded it since.
 */
export function outcome(c: Core, space: string, mutation: Mutation, pending: Pending | undefined): Judged {
  const entry = c.spaces.get(space)?.rejected.find((e) => sameEdit(e.mutation, mutation));
  if (entry) return { verdict: entry.verdict, entry: entry.order };
  const verdict: Verdict = {
    counter: pending?.counter ?? 0, seq: pending?.leaveAt ?? 0, outcome: "applied", code: "", message: "", field: "", ops: [],
  };
  return { verdict };
}
