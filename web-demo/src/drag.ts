// Dragging cards with a mouse, a pen or a finger. What is dragged is a picture;
// the cards themselves stay where they are until the drop.

/** Where a card would be dropped: before the index-th card of a column, counted without it. */
export interface Drop {
  readonly card: string;
  readonly column: string;
  readonly index: number;
}

/** How far a pointer moves before it drags, in pixels. */
const slack = 5;

/** Lets the cards of a board be dragged; returns how to end that. */
export function dragCards(board: HTMLElement, drop: (drop: Drop) => void): () => void {
  let end: (() => void) | undefined;

  const down = (event: PointerEvent) => {
    const target = event.target as Element;
    const card = target.closest<HTMLElement>("[data-card]");
    const grabbed = target.closest("[data-handle]") || (event.pointerType === "mouse" && !target.closest("a, button, input, label, select, textarea"));
    if (!card || !grabbed || event.button !== 0 || end) return;
    if (!target.closest("[data-handle]")) event.preventDefault(); // no selection of text
    end = drag(board, card, event, (found) => {
      end = undefined;
      if (found) drop(found);
    });
  };
  board.addEventListener("pointerdown", down);
  return () => {
    board.removeEventListener("pointerdown", down);
    end?.();
  };
}

/** Follows one pointer until it is let go; `done` hears where, or nothing. Returns how to give up. */
function drag(board: HTMLElement, card: HTMLElement, start: PointerEvent, done: (drop: Drop | undefined) => void): () => void {
  let picture: HTMLElement | undefined;
  let mark: HTMLElement | undefined;
  let found: Drop | undefined;
  const box = card.getBoundingClientRect();
  const listening = new AbortController();
  const { signal } = listening;

  const lift = () => {
    picture = card.cloneNode(true) as HTMLElement;
    for (const part of [picture, ...picture.querySelectorAll<HTMLElement>("*")]) {
      for (const name of ["id", "data-testid", "data-card", "data-anchor", "data-handle"]) part.removeAttribute(name);
    }
    picture.classList.add("is-lifted");
    picture.setAttribute("aria-hidden", "true");
    picture.style.width = `${box.width}px`;
    mark = document.createElement("div");
    mark.className = "drop-mark";
    document.body.append(mark, picture);
    card.classList.add("is-dragged");
  };
  const finish = (result: Drop | undefined) => {
    listening.abort();
    picture?.remove();
    mark?.remove();
    card.classList.remove("is-dragged");
    done(result);
  };

  addEventListener(
    "pointermove",
    (event) => {
      if (event.pointerId !== start.pointerId) return;
      const [dx, dy] = [event.clientX - start.clientX, event.clientY - start.clientY];
      if (!picture && Math.hypot(dx, dy) < slack) return;
      if (!picture) lift();
      picture!.style.transform = `translate(${box.left + dx}px, ${box.top + dy}px) rotate(1.5deg)`;
      scroll(board, event.clientX);
      found = find(board, card, event.clientX, event.clientY, mark!);
    },
    { signal },
  );
  addEventListener("pointerup", (event) => event.pointerId === start.pointerId && finish(picture ? found : undefined), { signal });
  addEventListener("pointercancel", (event) => event.pointerId === start.pointerId && finish(undefined), { signal });
  addEventListener("keydown", (event) => event.key === "Escape" && finish(undefined), { signal });
  return () => finish(undefined);
}

/** Moves the columns when the pointer is near an edge. */
function scroll(board: HTMLElement, x: number): void {
  const { left, right } = board.getBoundingClientRect();
  if (x < left + 40) board.scrollBy({ left: -12 });
  else if (x > right - 40) board.scrollBy({ left: 12 });
}

/** Where a card would be dropped at a point; shows it with the mark. */
function find(board: HTMLElement, card: HTMLElement, x: number, y: number, mark: HTMLElement): Drop | undefined {
  const columns = [...board.querySelectorAll<HTMLElement>("[data-column]")];
  const column = columns.find((c) => {
    const { left, right } = c.getBoundingClientRect();
    return x >= left && x < right;
  });
  mark.hidden = !column;
  if (!column) return undefined;
  const cards = [...column.querySelectorAll<HTMLElement>("[data-card]")].filter((c) => c !== card);
  const boxes = cards.map((c) => c.getBoundingClientRect());
  let index = boxes.findIndex(({ top, height }) => y < top + height / 2);
  if (index < 0) index = cards.length;
  const list = (column.querySelector("ol") ?? column).getBoundingClientRect();
  const above = boxes[index - 1];
  const below = boxes[index];
  const at = below ? (above ? (above.bottom + below.top) / 2 : below.top - 4) : above ? above.bottom + 4 : list.top + 4;
  mark.style.transform = `translate(${list.left}px, ${at - 1}px)`;
  mark.style.width = `${list.width}px`;
  return { card: card.dataset["card"] ?? "", column: column.dataset["column"] ?? "", index };
}
