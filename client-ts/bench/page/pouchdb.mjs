// As an app has it that shows cards: a live feed of changes, and its documents
// by id. Nothing keeps them in an order.
import PouchDB from "pouchdb-browser";
import { offer } from "./job.mjs";

let db, pushed = 0, last = Promise.resolve();
const rows = new Map();

offer({
  open({ url, space, changed }) {
    db = new PouchDB("bench");
    db.changes({ live: true, include_docs: true }).on("change", ({ id, doc }) => {
      rows.set(id, doc);
      changed();
    });
    db.sync(`${url}/${space}`, { live: true, retry: true }).on("change", ({ direction, change }) => {
      if (direction === "push") pushed = change.last_seq;
    });
  },
  async seed(cards) {
    for (let i = 0; i < cards.length; i += 100) {
      await db.bulkDocs(cards.slice(i, i + 100).map(({ id, ...fields }) => ({ _id: id, ...fields })));
    }
    await this.drained();
  },
  // One after another: two at once would conflict with each other.
  edit(id, title) {
    last = last.then(async () => db.put({ ...(await db.get(id)), title }));
  },
  title: (id) => rows.get(id)?.title,
  size: () => rows.size,
  async drained() {
    while ((await db.info()).update_seq > pushed) await new Promise((resolve) => setTimeout(resolve, 5));
  },
});
