import type { WebSocketLike } from "@tidegate/client";
import { cell } from "./cell.js";
import type { Cell } from "./cell.js";

/** A device's line to the gateway, which its user can cut and slow down. */
export interface Line {
  readonly offline: Cell<boolean>;
  /** How long a message and its answer are under way, in milliseconds, on top of what they really take. */
  readonly latency: Cell<number>;
  /** Makes the WebSockets that go over the line. */
  readonly webSocket: new (url: string, protocols: string[]) => WebSocketLike;
  /** What else is asked of the gateway: it fails while the line is cut. */
  only<T>(ask: () => Promise<T>): () => Promise<T>;
}

/** The slowest line that can be chosen: 2 s. */
export const maxLatency = 2000;

/** The close code of a connection that broke. */
const broken = 1006;

/**
 * Makes the line of a device. How it is set is kept with the device: it stays
 * offline when its page is loaded again, and all its tabs are offline together.
 */
export function makeLine(device: string): Line {
  const key = `line-${device}`;
  const [offline, latency] = [cell(false), cell(0)];

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
  offline.subscribe(write);
  latency.subscribe(write);

  return {
    offline,
    latency,
    webSocket: socketsOver(offline, latency),
    only: (ask) => async () => {
      if (offline.get()) throw new Error("this device is offline");
      return ask();
    },
  };
}

/** WebSockets that break when the line is cut, and whose messages take longer, in both directions, in order. */
function socketsOver(offline: Cell<boolean>, latency: Cell<number>): Line["webSocket"] {
  return class implements WebSocketLike {
    onopen: WebSocketLike["onopen"] = null;
    onclose: WebSocketLike["onclose"] = null;
    onerror: WebSocketLike["onerror"] = null;
    onmessage: WebSocketLike["onmessage"] = null;
    readonly #inner: WebSocket | undefined;
    readonly #out = delayed(latency);
    readonly #back = delayed(latency);
    #over = false;
    #unwatch: () => void = () => {};

    constructor(url: string, protocols: string[]) {
      if (offline.get()) {
        queueMicrotask(() => this.#end({ code: broken, reason: "this device is offline" }));
        return;
      }
      const inner = (this.#inner = new WebSocket(url, protocols));
      inner.onopen = (event) => this.#later(() => this.onopen?.(event));
      inner.onmessage = ({ data }) => this.#later(() => this.onmessage?.({ data }));
      inner.onerror = (event) => this.#later(() => this.onerror?.(event));
      inner.onclose = ({ code, reason }) => this.#later(() => this.#end({ code, reason }));
      this.#unwatch = offline.subscribe((is) => {
        if (!is) return;
        inner.close();
        this.#end({ code: broken, reason: "this device went offline" });
      });
    }

    get binaryType(): string {
      return this.#inner?.binaryType ?? "arraybuffer";
    }
    set binaryType(type: string) {
      if (this.#inner) this.#inner.binaryType = type as BinaryType;
    }
    get protocol(): string {
      return this.#inner?.protocol ?? "";
    }
    send(data: Uint8Array<ArrayBuffer>): void {
      this.#out(() => {
        if (!this.#over && this.#inner?.readyState === WebSocket.OPEN) this.#inner.send(data);
      });
    }
    close(code?: number, reason?: string): void {
      this.#inner?.close(code, reason);
    }

    #later(arrive: () => void): void {
      this.#back(() => this.#over || arrive());
    }

    /** Nothing comes after it. */
    #end(event: { code: number; reason: string }): void {
      if (this.#over) return;
      this.#over = true;
      this.#unwatch();
      this.onclose?.(event);
    }
  };
}

/** Makes a direction: what is sent in it arrives later, and in order. */
function delayed(latency: Cell<number>): (arrive: () => void) => void {
  let last = 0;
  return (arrive) => {
    const now = performance.now();
    last = Math.max(last, now + latency.get() / 2);
    if (last <= now) arrive();
    else setTimeout(arrive, last - now);
  };
}
