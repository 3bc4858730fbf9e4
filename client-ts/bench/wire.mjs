// A TCP proxy that counts: all bytes of a device, HTTP's and WebSocket's own
// included, without the network's headers.
import { connect, createServer } from "node:net";

/** Counts what goes to a server and comes from it. */
export class Wire {
  up = 0;
  down = 0;
  /** When something passed last. */
  last = performance.now();

  static async to(port) {
    const wire = new Wire();
    wire.server = createServer((near) => {
      const far = connect(port, "127.0.0.1");
      near.setNoDelay().on("data", (data) => wire.count("up", data));
      far.setNoDelay().on("data", (data) => wire.count("down", data));
      for (const [a, b] of [[near, far], [far, near]]) a.on("error", () => {}).on("close", () => b.destroy()).pipe(b);
    });
    await new Promise((resolve) => wire.server.listen(0, "127.0.0.1", resolve));
    wire.url = `http://127.0.0.1:${wire.server.address().port}`;
    return wire;
  }

  count(way, data) {
    this[way] += data.length;
    this.last = performance.now();
  }

  reset() {
    this.up = this.down = 0;
  }

  /** Resolves once nothing has passed for so many milliseconds: what follows an edit has followed. */
  async quiet(long = 500) {
    while (performance.now() - this.last < long) await new Promise((resolve) => setTimeout(resolve, 50));
  }

  end() {
    this.server.close();
  }
}
