// What can be done with a board, in the words of its users.
import type { Space, Write } from "@tidegate/client";
import { boardID } from "./rules.js";
import type { BoardRow, Card, CardRow, Records } from "./rules.js";

export type BoardSpace = Space<Records>;

/** A column as it is shown. */
export interface Column {
  readonly id: string;
  readonly title: string;
  readonly cards: readonly CardRow[];
}

/** The columns of a board that nobody has touched. A list made of them calls its elements 0, 1, 2. */
const firstColumns = ["To do", "Doing", "Done"];

/** Lays cards out in columns. A card whose column is gone stands in the first one. */
export function layout(board: BoardRow | undefined, cards: readonly CardRow[]): Column[] {
  const titles = board?.columns ?? firstColumns.map((value, n) => ({ id: String(n), value }));
  const columns = titles.map(({ id, value }) => ({ id, title: value, cards: [] as CardRow[] }));
  // Everybody may have removed a column that was not the last one then.
  if (columns.length === 0) columns.push({ id: "0", title: "Cards", cards: [] });
  const place = new Map<string, number>();
  for (const { value } of board?.order ?? []) if (!place.has(value)) place.set(value, place.size);
  const at = (card: CardRow) => place.get(card.id) ?? Infinity;
  const sorted = [...cards].sort((a, b) => (at(a) === at(b) ? (a.id < b.id ? -1 : 1) : at(a) - at(b)));
  for (const card of sorted) (columns.find((column) => column.id === card.column) ?? columns[0])?.cards.push(card);
  return columns;
}

/** The columns as they are now. */
export function columnsOf(space: BoardSpace): Column[] {
  return layout(space.collection("demo-boards").get(boardID), space.collection("demo-cards").query().get());
}

/**
 * Makes the board's record before the first edit that needs it. Two devices may
 * do so unseen: one is told that it exists, which the page takes for what it is.
 */
function withBoard(space: BoardSpace): void {
  const boards = space.collection("demo-boards");
  if (!boards.get(boardID)) boards.create({ columns: firstColumns, order: [] }, boardID);
}

/** Where in the order of all cards something stands that is to stand at `index` of a column. */
function placeInOrder(board: BoardRow | undefined, column: readonly CardRow[], index: number): number {
  const order = board?.order ?? [];
  const before = column[index];
  if (before) {
    const at = order.findIndex((element) => element.value === before.id);
    if (at >= 0) return at;
  }
  const last = column[Math.min(index, column.length) - 1];
  const at = last ? order.findIndex((element) => element.value === last.id) : -1;
  return at >= 0 ? at + 1 : order.length;
}

/** Adds a card at the end of a column; returns its id. */
export function addCard(space: BoardSpace, column: string, card: Omit<Card, "column" | "votes" | "labels"> & { labels?: readonly string[] }): string {
  withBoard(space);
  const id = space.newID();
  space.mutate((tx) => {
    tx.create("demo-cards", { ...card, column, votes: 0 }, id);
    tx.update("demo-boards", boardID, (board) => void board.order.push(id));
  });
  return id;
}

/** Moves a card to stand at `index` of a column, counted without it. */
export function moveCard(space: BoardSpace, id: string, column: string, index: number): Write {
  withBoard(space);
  const row = space.collection("demo-boards").get(boardID);
  const order = row?.order ?? [];
  const element = order.find((e) => e.value === id)?.id;
  const others = (columnsOf(space).find((c) => c.id === column)?.cards ?? []).filter((card) => card.id !== id);
  const without = row && { ...row, order: order.filter((e) => e.value !== id) };
  const at = placeInOrder(without, others, index);
  return space.mutate((tx) => {
    tx.update("demo-cards", id, (card) => void (card.column = column));
    tx.update("demo-boards", boardID, (board) => {
      if (element) board.order.move(element, at);
      else board.order.insert(at, id);
    });
  });
}

/** Deletes a card. */
export function deleteCard(space: BoardSpace, id: string): Write {
  const elements = (space.collection("demo-boards").get(boardID)?.order ?? []).filter((e) => e.value === id);
  return space.mutate((tx) => {
    tx.delete("demo-cards", id);
    if (elements.length > 0) tx.update("demo-boards", boardID, (board) => elements.forEach((e) => board.order.remove(e.id)));
  });
}

export function addColumn(space: BoardSpace, title: string): void {
  withBoard(space);
  space.collection("demo-boards").update(boardID, (board) => void board.columns.push(title));
}

export function renameColumn(space: BoardSpace, id: string, title: string): Write {
  withBoard(space);
  return space.collection("demo-boards").update(boardID, (board) => board.columns.set(id, title));
}

export function removeColumn(space: BoardSpace, id: string): void {
  withBoard(space);
  space.collection("demo-boards").update(boardID, (board) => board.columns.remove(id));
}

/** Fills an empty board, so that there is something to play with. */
export function addExample(space: BoardSpace): void {
  const [first = "0", second = first, third = second] = columnsOf(space).map((column) => column.id);
  const day = (days: number, hour: number) => {
    const time = new Date();
    time.setDate(time.getDate() + days);
    time.setHours(hour, 0, 0, 0);
    return time.toISOString();
  };
  addCard(space, first, { title: "Write the announcement", labels: ["idea"], start: day(2, 9), end: day(2, 17) });
  addCard(space, first, { title: "Ask the train crew how sync does in a tunnel", labels: ["design", "later"] });
  addCard(space, second, { title: "Sign-in fails on slow networks", labels: ["bug", "urgent"], assignee: "Ada", start: day(0, 9), end: day(1, 12), estimate: 3 });
  addCard(space, second, { title: "Dark theme for the board", labels: ["design"], assignee: "Ben", estimate: 5 });
  addCard(space, third, { title: "Keep every edit, offline too", assignee: "Ada" });
}
