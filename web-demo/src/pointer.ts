// Where people point, so that it means the same on boards of other widths: a
// card or a column, and a place in it.
import type { BoardSpace } from "./board.js";

/** What a device shows of itself to the others. */
export interface Shown {
  /** Where its pointer is; left out if it is not on the board. */
  readonly at?: { readonly anchor: string; readonly x: number; readonly y: number };
  /** The card that it edits. */
  readonly card?: string;
}

/** How often a pointer is told, at most: every 50 ms. */
const pace = 50;

/** Shows the pointer and the edited card of a device to the others; returns how to end that. */
export function showPointer(board: HTMLElement, space: BoardSpace): () => void {
  let shown: Shown = {};
  let timer = 0;
  let dirty = true;
  const tell = () => {
    if (!dirty) {
      timer = 0;
      return;
    }
    dirty = false;
    space.presence.set(shown);
    timer = window.setTimeout(tell, pace);
  };
  const show = (next: Shown) => {
    shown = next;
    dirty = true;
    if (timer === 0) tell();
  };
  const listening = new AbortController();
  const { signal } = listening;
  board.addEventListener(
    "pointermove",
    (event) => {
      const anchor = (event.target as Element).closest<HTMLElement>("[data-anchor]");
      if (!anchor) return;
      const box = anchor.getBoundingClientRect();
      const part = (n: number) => Math.round(n * 1000) / 1000;
      show({
        ...shown,
        at: { anchor: anchor.dataset["anchor"] ?? "", x: part((event.clientX - box.left) / box.width), y: part((event.clientY - box.top) / box.height) },
      });
    },
    { signal },
  );
  const leave = () => {
    const { at: _, ...rest } = shown;
    show(rest);
  };
  board.addEventListener("pointerleave", leave, { signal });
  const focus = () => {
    const { card: _, ...rest } = shown;
    const card = board.contains(document.activeElement) ? document.activeElement?.closest<HTMLElement>("[data-card]") : undefined;
    const id = card?.dataset["card"];
    if (id !== shown.card) show(id ? { ...rest, card: id } : rest);
  };
  board.addEventListener("focusin", focus, { signal });
  board.addEventListener("focusout", () => queueMicrotask(focus), { signal });
  tell();
  return () => {
    listening.abort();
    clearTimeout(timer);
    space.presence.set(undefined);
  };
}
