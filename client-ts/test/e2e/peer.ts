// The TypeScript side of a test of both clients in one space: some devices that
// edit at random. Run by peer.mjs, for typescript_test.go of the repository's root.
//
// Arguments: URL, space, devices, edits of each, seed. It prints "drained SEQ"
// once all edits are judged and confirmed; then for each line "SEQ" that it is
// given, a line "hash HEX" for each device whose cursor has reached it.
import { createInterface } from "node:readline";
import { WebSocket } from "ws";
import type { Space, WebSocketLike } from "../../src/index.js";
import { createClient } from "../../src/index.js";
import { defineSchema } from "../../src/schema/index.js";
import { Random } from "../core/random.js";

const [url, name, count, edits, seed] = process.argv.slice(2) as [string, string, string, string, string];
const random = new Random(Number(seed));
const schema = defineSchema({ collections: { cards: JSON.parse(process.env["CARDS_SCHEMA"] as string) } });
const webSocket = WebSocket as unknown as new (url: string, protocols: string[]) => WebSocketLike;

const clients = Array.from({ length: Number(count) }, () => createClient({ url, schema, webSocket, backoff: { min: 5, max: 100 } }));
const spaces = clients.map((client) => client.space(name));

/** One edit at random, and one vote with it. */
function edit(space: Space, device: number, n: number): void {
  const cards = space.collection("cards");
  const ids = cards.query().get().map((row) => row.id);
  const id = ids[random.int(ids.length)] ?? "all";
  const text = `ts${device}-${n}`;
  space.mutate((tx) => {
    tx.update("cards", "all", (c) => c.votes.add(1));
    switch (random.int(7)) {
      case 0:
        tx.create("cards", { title: text, tags: [text], steps: ["a", "b"] });
        break;
      case 1:
        tx.update("cards", id, (c) => (c.title = text));
        break;
      case 2:
        tx.update("cards", id, (c) => c.tags.add(text));
        break;
      case 3:
        tx.update("cards", id, (c) => c.steps.insert(random.int(4), text));
        break;
      case 4:
        tx.update("cards", id, (c) => {
          const [first] = [...c.steps];
          if (first) c.steps.move(first.id, 2);
        });
        break;
      case 5:
        tx.update("cards", id, (c) => {
          const [first] = [...c.tags];
          if (first) c.tags.remove(first);
          delete c.note;
        });
        break;
      default:
        tx.update("cards", id, (c) => (c.note = { by: text, at: n / 4, list: [n, null, true] }));
    }
  });
}

await Promise.all(spaces.map((space) => space.ready));
// The card that is voted on was made by the other side.
await Promise.all(spaces.map((space) => space.until((data) => data.view.get({ collection: "cards", id: "all" }) !== undefined)));
for (let n = 0; n < Number(edits); n++) {
  for (const [device, space] of spaces.entries()) edit(space, device, n);
  await new Promise((resolve) => setTimeout(resolve, random.int(20)));
}
await Promise.all(spaces.map((space) => space.drained()));
console.log(`drained ${Math.max(...spaces.map((space) => space.status?.cursor.seq ?? 0))}`);
for await (const line of createInterface({ input: process.stdin })) {
  for (const space of spaces) {
    await space.waitFor(Number(line));
    console.log(`hash ${await space.stateHash()} ${space.rejected.get().length} rejected at ${space.status?.cursor.seq}`);
  }
}
await Promise.all(clients.map((client) => client.close()));
