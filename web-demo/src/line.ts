import { TideError } from "@tidegate/client";
import type { Transport } from "@tidegate/client";
import type { Dial } from "../../client-ts/src/transport.js";
import { cell } from "./cell.js";
import type { Cell } from "./cell.js";

/** A device's line to the gateway, which its user can cut and slow down. */
export interface Line {
  readonly offline: Cell<boolean>;
  /** How long a message and its answer are under way, in milliseconds, on top of what they really take. */
  readonly latency: Cell<number>;
  /** Connects through the line. */
  through(dial: Dial): Dial;
  /** What else is asked of the gateway: it fails while the line is cut. */
  only<T>(ask: () => Promise<T>): () => Promise<T>;
}

/** The slowest line that can be chosen: 2 s. */
export const maxLatency = 2000;

/**
 * Makes the line of a device. How it is set is kept with the device: it stays
 * offline when its page is loaded again, and all its tabs are offline together.
 */
export function makeLine(device: string): Line {
  const key = `line-${device}`;
  const [offline, latency] = [cell(false), cell(0)];
  const connections = new Set<() => void>();

  const read = (text: string | null) => {
    const [off, ms] = (text ?? "").split(" ");
    offline.set(off === "offline");
    latency.set(Math.min(Math.max(Number(ms) || 0, 0), maxLatency));
  };
  read(localStorage.getItem(key));
  const write = () => localStorage.setItem(key, `${offline.get() ? "offline" : "online"} ${latency.get()}`);
  addEventListener("storage", (event) => {
    if (event.key === key) read(event.newValue);
  });
  offline.subscribe((is) => {
    write();
    if (is) for (const cut of [...connections]) cut();
  });
  latency.subscribe(write);

  const down = () => new TideError("unreachable", "this device is offline");
  return {
    offline,
    latency,
    only: (ask) => async () => {
      if (offline.get()) throw down();
      return ask();
    },
    through: (dial) => async (events, signal) => {
      if (offline.get()) throw down();
      /** One for each direction: when what was sent last arrives. */
      const delayed = () => {
        let last = 0;
        return (arrive: () => void) => {
          const now = performance.now();
          last = Math.max(last, now + latency.get() / 2);
          if (last <= now) arrive();
          else setTimeout(() => over || arrive(), last - now);
        };
      };
      const [out, back] = [delayed(), delayed()];
      let over = false;
      let transport: Transport | undefined;
      const end = () => {
        over = true;
        connections.delete(cut);
      };
      const cut = () => {
        end();
        transport?.close(1000, "offline");
        events.closed(0, "this device went offline");
      };
      transport = await dial(
        {
          message: (data) => back(() => events.message(data)),
          closed: (code, reason) =>
            back(() => {
              end();
              events.closed(code, reason);
            }),
        },
        signal,
      );
      if (offline.get()) {
        transport.close(1000, "offline");
        throw down();
      }
      connections.add(cut);
      const connected = transport;
      return {
        send: (message) => out(() => connected.send(message)),
        close(code, reason) {
          end();
          connected.close(code, reason);
        },
      };
    },
  };
}
