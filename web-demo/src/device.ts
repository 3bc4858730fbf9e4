// A device of the page: its own store, its own connection, its own user.
import { createClient, indexedDBStore } from "@tidegate/client";
import type { Client, Query } from "@tidegate/client";
import { undo } from "@tidegate/client/undo";
import { announce } from "./announce.js";
import type { BoardSpace } from "./board.js";
import { cell } from "./cell.js";
import type { Cell } from "./cell.js";
import { makeLine } from "./line.js";
import type { Line } from "./line.js";
import type { Seat } from "./place.js";
import { boardID, schema } from "./rules.js";
import type { CardRow, Records } from "./rules.js";
import { tokens } from "./token.js";
import { fieldName } from "./words.js";

export interface Device extends Seat {
  readonly client: Client<Records>;
  readonly space: BoardSpace;
  readonly cards: Query<CardRow>;
  readonly line: Line;
  /** How many edits the device is storing. The others survive the end of the tab. */
  readonly storing: Cell<number>;
  /** Whether its inbox is shown. */
  readonly inboxOpen: Cell<boolean>;
}

/** Starts a device in a space. It can be used at once, and connects by itself. */
export function startDevice(seat: Seat, spaceName: string): Device {
  const line = makeLine(seat.store);
  const client = createClient<Records>({
    url: location.origin,
    token: line.only(tokens(seat.user)),
    schema,
    store: indexedDBStore(seat.store),
    undo,
    webSocket: line.webSocket,
  });
  const space = client.space(spaceName);
  line.offline.subscribe((is) => is || client.reconnect());
  const storing = cell(0);
  space.onMutate(({ write }) => {
    storing.set(storing.get() + 1);
    const done = () => storing.set(storing.get() - 1);
    write.local.then(done, done);
  });
  keepQuiet(space);
  tell(space, seat);
  return { ...seat, client, space, cards: space.collection("demo-cards").query(), line, storing, inboxOpen: cell(false) };
}

/**
 * Deals with what needs nobody's attention: a board that two devices began, or
 * that somebody took back while others went on, and cards that two people sorted.
 */
function keepQuiet(space: BoardSpace): void {
  space.rejected.subscribe((list) => {
    for (const rejected of list) {
      if (!rejected.ops.every((op) => op.collection === "demo-boards" && op.id === boardID)) continue;
      const begins = rejected.ops.some((op) => op.kind === "create");
      if (rejected.code === "exists" && begins) rejected.discard();
      else if (rejected.code === "deleted" && begins) rejected.edit((tx) => tx.undelete("demo-boards", boardID));
      else if (rejected.code === "deleted") rejected.retry(); // behind what brings the board back
    }
  });
  space.conflicts.subscribe((list) => {
    for (const conflict of list) {
      if (!conflict.open && conflict.collection === "demo-boards" && conflict.field === "order") conflict.dismiss();
    }
  });
}

/** Tells users of screen readers what comes into the inbox. */
function tell(space: BoardSpace, seat: Seat): void {
  let conflicts = new Set<string>();
  space.conflicts.subscribe((list) => {
    for (const conflict of list) {
      if (!conflicts.has(conflict.id)) announce(`${seat.user}: two edits of ${fieldName(conflict.field)} collided. See the inbox.`);
    }
    conflicts = new Set(list.map((conflict) => conflict.id));
  });
  let rejected = new Set<number>();
  space.rejected.subscribe((list) => {
    for (const r of list) if (!rejected.has(r.id)) announce(`${seat.user}: an edit was rejected. ${r.message}`);
    rejected = new Set(list.map((r) => r.id));
  });
}
