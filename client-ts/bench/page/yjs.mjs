// As an app has it that shows cards: a map of maps, and a plain object for each
// card, made anew when it changes. Nothing keeps them in an order.
import { IndexeddbPersistence } from "y-indexeddb";
import { WebsocketProvider } from "y-websocket";
import { Doc, Map as YMap } from "yjs";
import { offer } from "./job.mjs";

let doc, cards, provider;
const rows = new Map();

offer({
  open({ url, space, changed }) {
    doc = new Doc();
    cards = doc.getMap("cards");
    cards.observeDeep((events) => {
      for (const event of events) {
        for (const id of event.target === cards ? event.keys.keys() : [event.path[0]]) rows.set(id, cards.get(id).toJSON());
      }
      changed();
    });
    new IndexeddbPersistence("bench", doc);
    provider = new WebsocketProvider(url.replace("http", "ws"), space, doc, { disableBc: true });
  },
  async seed(all) {
    for (let i = 0; i < all.length; i += 100) {
      doc.transact(() => {
        for (const { id, ...fields } of all.slice(i, i + 100)) cards.set(id, new YMap(Object.entries(fields)));
      });
    }
    await this.drained();
  },
  edit: (id, title) => void cards.get(id).set("title", title),
  title: (id) => rows.get(id)?.title,
  size: () => rows.size,
  // There is no acknowledgement: what has left the page is all that can be known.
  async drained() {
    while (!provider.wsconnected || provider.ws.bufferedAmount > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  },
});
