import { createClient, indexedDBStore } from "../../src/index.ts";
import { offer } from "./job.mjs";

let tide, space, collection, rows = [];

offer({
  open({ url, space: name, changed }) {
    tide = createClient({ url, store: indexedDBStore("bench") });
    space = tide.space(name);
    collection = space.collection("cards");
    // The dearest query there is: all rows, in the order of what is edited.
    collection.query({ orderBy: { title: "asc" } }).subscribe((result) => {
      rows = result;
      changed();
    });
  },
  async seed(cards) {
    const writes = [];
    for (let i = 0; i < cards.length; i += 100) {
      writes.push(space.mutate((tx) => {
        for (const { id, ...fields } of cards.slice(i, i + 100)) tx.create("cards", fields, id);
      }).durable);
    }
    await Promise.all(writes);
  },
  edit: (id, title) => void collection.update(id, (card) => (card.title = title)),
  title: (id) => collection.get(id)?.title,
  size: () => rows.length,
  drained: () => space.drained(),
  said: () => tide.stats,
});
