import { useEffect, useRef, useState } from "preact/hooks";
import { announce } from "../announce.js";
import { addCard, addColumn, addExample, columnsOf, layout, moveCard, removeColumn, renameColumn } from "../board.js";
import type { Column } from "../board.js";
import type { Device } from "../device.js";
import { dragCards } from "../drag.js";
import { showPointer } from "../pointer.js";
import type { Shown } from "../pointer.js";
import { boardID } from "../rules.js";
import type { CardRow } from "../rules.js";
import { Card } from "./card.js";
import { TextField } from "./field.js";
import { Icon } from "./icons.js";
import { Pointers } from "./pointers.js";
import { useNews, useWatch } from "./watch.js";

interface BoardProps {
  readonly device: Device;
  /** The card that was made last, whose title wants to be written. */
  readonly fresh: string;
  readonly setFresh: (id: string) => void;
  readonly openInbox: () => void;
  readonly openHistory: (card: CardRow) => void;
}

/** The columns and cards of a device. */
export function Board({ device, fresh, setFresh, openInbox, openHistory }: BoardProps) {
  const { space, pane } = device;
  const element = useRef<HTMLDivElement>(null);
  const [found, setFound] = useState<HTMLDivElement | null>(null);
  const cards = useWatch(device.cards);
  useNews((draw) => space.collection("demo-boards").record(boardID).subscribe(draw), [space]);
  const columns = layout(space.collection("demo-boards").get(boardID), cards);
  const names = [...new Set(["Ada", "Ben", device.user, ...cards.map((card) => card.assignee ?? "")])].filter(Boolean).sort();
  const people = `people-${pane}`;

  useEffect(() => {
    const board = element.current;
    if (!board) return;
    setFound(board);
    const ends = [dragCards(board, ({ card, column, index }) => moveCard(space, card, column, index)), showPointer(board, space)];
    return () => ends.forEach((end) => end());
  }, [space]);
  useOthersCards(device, found);

  /** Moves a card by the arrow keys, and says where it is. */
  const move = (card: CardRow, event: KeyboardEvent) => {
    const columns = columnsOf(space); // of now: a card is not drawn again when others move
    const from = columns.findIndex((column) => column.cards.some((c) => c.id === card.id));
    const column = columns[from];
    if (!column) return;
    const index = column.cards.findIndex((c) => c.id === card.id);
    const across = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
    const along = event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0;
    if (!across && !along) return;
    event.preventDefault();
    const to = columns[from + across];
    const at = across ? Math.min(index, to?.cards.length ?? 0) : index + along;
    const length = (to?.cards.length ?? 0) + (across ? 1 : 0);
    if (!to || at < 0 || at >= length) return;
    moveCard(space, card.id, to.id, at);
    announce(`${card.title}: ${to.title}, ${at + 1} of ${length}`);
    // The card may have been drawn anew in another column.
    requestAnimationFrame(() => element.current?.querySelector<HTMLElement>(`[data-handle="${CSS.escape(card.id)}"]`)?.focus());
  };

  return (
    <div class="board-frame">
      <div class="board" ref={element}>
        {columns.map((column) => (
          <section key={column.id} class="column" data-testid="column" data-column={column.id} data-anchor={`column-${column.id}`} aria-label={column.title}>
            <ColumnHead device={device} column={column} only={columns.length === 1} add={() => setFresh(addCard(space, column.id, { title: "New card" }))} />
            <ol class="cards">
              {column.cards.map((card) => (
                <Card
                  key={card.id}
                  device={device}
                  card={card}
                  people={people}
                  fresh={card.id === fresh}
                  openInbox={openInbox}
                  openHistory={openHistory}
                  move={move}
                />
              ))}
            </ol>
          </section>
        ))}
        <button type="button" class="ghost add-column" data-testid="add-column" aria-label="Add a column" title="Add a column" onClick={() => addColumn(space, "New column")}>
          <Icon name="plus" />
        </button>
      </div>
      {cards.length === 0 && space.status && (
        <div class="empty">
          <p>Nothing here yet.</p>
          <button type="button" data-testid="add-example" onClick={() => addExample(space)}>
            Fill it with an example
          </button>
        </div>
      )}
      <Pointers space={space} board={found} />
      <datalist id={people}>
        {names.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </div>
  );
}

function ColumnHead({ device, column, only, add }: { device: Device; column: Column; only: boolean; add: () => void }) {
  return (
    <header class="column-head">
      <TextField value={column.title} label="Column name" testid="column-title" save={(text) => renameColumn(device.space, column.id, text)} />
      <span class="count" aria-label={`${column.cards.length} cards`}>
        {column.cards.length}
      </span>
      {column.cards.length === 0 && !only && (
        <button type="button" class="ghost" aria-label={`Remove the column ${column.title}`} onClick={() => removeColumn(device.space, column.id)}>
          <Icon name="close" />
        </button>
      )}
      <button type="button" class="ghost" aria-label={`Add a card to ${column.title}`} onClick={add}>
        <Icon name="plus" />
      </button>
    </header>
  );
}

/** Outlines the cards that others edit, in their colours. */
function useOthersCards({ space }: Device, board: HTMLElement | null): void {
  const people = useWatch(space.presence);
  useEffect(() => {
    for (const card of board?.querySelectorAll<HTMLElement>("[data-card]") ?? []) {
      const who = people.find(({ value }) => (value as Shown | undefined)?.card === card.dataset["card"])?.user;
      if (who) card.dataset["editor"] = who;
      else delete card.dataset["editor"];
    }
  });
}
