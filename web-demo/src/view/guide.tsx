import { useState } from "preact/hooks";
import { announce } from "../announce.js";
import { addCard, addExample, columnsOf } from "../board.js";
import type { Device } from "../device.js";
import { Icon } from "./icons.js";

/** Says what to try, and can do it by itself. */
export function Guide({ devices, hide }: { devices: readonly Device[]; hide: () => void }) {
  const [busy, setBusy] = useState(false);
  const [a, b] = devices;
  if (!a || !b) return null;
  const show = async () => {
    setBusy(true);
    try {
      await collide(a, b);
      announce(`${a.user} and ${b.user} assigned the same card to two people. See the inbox.`);
    } finally {
      setBusy(false);
    }
  };
  return (
    <aside class="guide" aria-label="What to try">
      <p>
        <strong>Two devices, one board.</strong> Take both offline, assign one card to two people, bring them back: nothing is lost, and the inbox asks.
      </p>
      <button type="button" data-testid="show-me" disabled={busy} onClick={() => void show()}>
        {busy ? "Watch …" : "Show me"}
      </button>
      <button type="button" class="ghost" aria-label="Hide this" onClick={hide}>
        <Icon name="close" />
      </button>
    </aside>
  );
}

/** Lets two devices assign a card to two people while they are apart, and asks the second one. */
async function collide(a: Device, b: Device): Promise<void> {
  if (a.cards.get().length === 0) addExample(a.space);
  const free = a.cards.get().find((card) => !card.assignee && !card._conflict)?.id;
  const card = free ?? addCard(a.space, columnsOf(a.space)[0]?.id ?? "0", { title: "Who does this?" });
  for (const device of [a, b]) device.line.offline.set(false);
  await a.space.drained();
  await b.space.waitFor(a.space.status?.cursor.seq ?? 0);
  for (const device of [a, b]) device.line.offline.set(true);
  await beat();
  for (const device of [a, b]) {
    device.space.collection("demo-cards").update(card, (draft) => {
      draft.assignee = device.user;
      draft.votes.add(1);
    });
    await beat();
  }
  for (const device of [a, b]) {
    device.line.offline.set(false);
    await device.space.drained();
  }
  b.inboxOpen.set(true);
}

/** Time to see what happens. */
function beat(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 900));
}
