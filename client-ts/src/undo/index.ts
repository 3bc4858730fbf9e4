// Undo and redo of one tab's own edits, merged through those of others.
import type { Rec } from "../merge/index.js";
import type { Op } from "../protocol/index.js";
import type { Made, Space, Undo } from "../space.js";
import { keyText, tell } from "../watch.js";
import type { Watchable } from "../watch.js";
import type { Write } from "../write.js";
import { inverse, stepsOf } from "./inverse.js";
import type { Present, Step } from "./inverse.js";

/** Settings of {@link undoWith}; all may be left out. */
export interface UndoOptions {
  /**
   * Edits of the same fields within so many milliseconds of one another are taken
   * back as one (500): what was typed, not each letter of it.
   */
  readonly capture?: number;
  /** How many edits can be taken back (100). */
  readonly limit?: number;
}

/** How much can be undone and redone, for buttons. */
export interface UndoState {
  readonly undo: number;
  readonly redo: number;
}

/** Undo with the default settings: `createClient({ undo, … })`. */
export const undo = undoWith();

/** Makes undo with settings: `createClient({ undo: undoWith({ limit: 20 }), … })`. */
export function undoWith(options: UndoOptions = {}): (space: Space<any>) => Undo {
  return (space) => new History(space, options.capture ?? 500, options.limit ?? 100);
}

const histories = new WeakMap<Space<any>, History>();

/** How much of a space's edits can be undone and redone. */
export function undoState(space: Space<any>): Watchable<UndoState> {
  const history = histories.get(space);
  return history ?? { get: () => nothing, subscribe: (listener) => (listener(nothing), () => {}) };
}

const nothing: UndoState = { undo: 0, redo: 0 };

/** An edit that can be taken back: a mutation, or several that were captured as one. */
interface Edit {
  steps: readonly Step[];
  /** When the last of them was made. */
  at: number;
}

/** Says of a mutation that this module made it, and for which list. */
class Mark {
  constructor(readonly to: "undo" | "redo") {}
}

class History implements Undo, Watchable<UndoState> {
  readonly #space: Space<any>;
  readonly #capture: number;
  readonly #limit: number;
  readonly #edits: { undo: Edit[]; redo: Edit[] } = { undo: [], redo: [] };
  readonly #renamed = new Map<string, string>();
  readonly #listeners = new Set<() => void>();
  #state: UndoState = nothing;

  constructor(space: Space<any>, capture: number, limit: number) {
    this.#space = space;
    this.#capture = capture;
    this.#limit = limit;
    histories.set(space, this);
    space.onMutate((made) => this.#made(made));
  }

  undo(): Write | undefined {
    return this.#back("undo", "redo");
  }

  redo(): Write | undefined {
    return this.#back("redo", "undo");
  }

  get(): UndoState {
    return this.#state;
  }

  subscribe(listener: (state: UndoState) => void): () => void {
    const own = () => listener(this.#state);
    this.#listeners.add(own);
    own();
    return () => this.#listeners.delete(own);
  }

  /** Takes back the newest edit of a list of which anything is left that can be. */
  #back(from: "undo" | "redo", to: "undo" | "redo"): Write | undefined {
    const edits = this.#edits[from];
    for (let edit = edits.pop(); edit; edit = edits.pop()) {
      const ops = inverse(edit.steps, this.#present());
      if (ops.length > 0) return this.#space.mutateOps(ops, new Mark(to));
    }
    this.#changed();
    return undefined;
  }

  #present(): Present {
    const { data } = this.#space;
    return {
      look: (key) => data?.view.look(key),
      newID: () => this.#space.newID(),
      kinds: data?.view.kinds,
      renamed: this.#renamed,
    };
  }

  #made({ mutation, before, mark, write }: Made): void {
    const to = mark instanceof Mark ? mark.to : "undo";
    const list = this.#edits[to];
    const steps = stepsOf(mutation.ops, before as ReadonlyMap<string, Rec | undefined>, this.#space.data?.view.kinds);
    const edit: Edit = { steps, at: mutation.editTime };
    const last = list.at(-1);
    const together = !mark && last && edit.at - last.at < this.#capture ? captured(last.steps, steps) : undefined;
    if (last && together) {
      last.steps = together;
      last.at = edit.at;
    } else {
      list.push(edit);
      if (list.length > this.#limit) list.shift();
      // What the gateway rejects has had no effect, and there is nothing to take back.
      write.durable.catch(() => {
        for (const each of [this.#edits.undo, this.#edits.redo]) if (each.includes(edit)) each.splice(each.indexOf(edit), 1);
        this.#changed();
      });
    }
    if (!mark) this.#edits.redo.length = 0;
    this.#changed();
  }

  #changed(): void {
    const { undo, redo } = this.#edits;
    if (undo.length === this.#state.undo && redo.length === this.#state.redo) return;
    this.#state = { undo: undo.length, redo: redo.length };
    tell(this.#listeners);
  }
}

/** Steps that set the same fields of the same records again, as one; undefined if they do not. */
function captured(first: readonly Step[], then: readonly Step[]): Step[] | undefined {
  const nameOf = (op: Op) => (op.kind === "set" ? JSON.stringify([keyText(op), ...op.fields.map(({ field }) => field)]) : undefined);
  if (first.length !== then.length) return undefined;
  const together: Step[] = [];
  for (const [i, step] of then.entries()) {
    const earlier = first[i] as Step;
    const name = nameOf(step.op);
    if (name === undefined || name !== nameOf(earlier.op)) return undefined;
    together.push({ ...step, before: earlier.before });
  }
  return together;
}
