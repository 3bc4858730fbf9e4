import { TideError } from "./error.js";
import { subprotocol, syncPath } from "./protocol/index.js";

/** What a transport tells. After `closed` it tells nothing. */
export interface TransportEvents {
  /** A whole message. */
  message(data: Uint8Array): void;
  /** The connection has ended: with the code that the gateway closed it with, 0 if it just broke. */
  closed(code: number, reason: string): void;
}

/** Carries messages to and from a gateway. */
export interface Transport {
  /** Sends one message. */
  send(message: Uint8Array): void;
  /** Ends the connection, without waiting for the peer. Nothing is told any more. */
  close(code: number, reason: string): void;
}

/** Makes a connection. Rejects with a TideError if there is none to be had; `signal` gives up. */
export type Dial = (events: TransportEvents, signal: AbortSignal) => Promise<Transport>;

/** What is used of a WebSocket: the platform's own, or one of a package such as ws. */
export interface WebSocketLike {
  binaryType: string;
  readonly protocol: string;
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
  onopen: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
}

export type WebSocketMaker = new (url: string, protocols: string[]) => WebSocketLike;

/** The address of a gateway's WebSocket. Throws a TideError `url`. */
export function syncURL(address: string): string {
  // A page may say where its own gateway is without repeating its origin.
  const base = (globalThis as { location?: { href?: string } }).location?.href;
  let url: URL;
  try {
    url = base ? new URL(address, base) : new URL(address);
  } catch (cause) {
    throw new TideError("url", `the gateway's URL ${JSON.stringify(address)} is not one`, { cause });
  }
  const scheme = url.protocol.replace(/^http/, "ws");
  if (scheme !== "ws:" && scheme !== "wss:") {
    throw new TideError("url", `the gateway's URL ${JSON.stringify(address)}: want ws://, wss://, http:// or https://`);
  }
  if (url.pathname === "/") url.pathname = syncPath;
  return scheme + url.href.slice(url.protocol.length);
}

/** Connects by WebSocket: `make`, or the platform's. Throws a TideError `url`. */
export function webSocketDialer(address: string, make?: WebSocketMaker): Dial {
  const url = syncURL(address);
  return (events, signal) =>
    new Promise((resolve, reject) => {
      const WebSocket = make ?? (globalThis as { WebSocket?: WebSocketMaker }).WebSocket;
      if (!WebSocket) throw new TideError("unreachable", "there is no WebSocket here: give createClient one as `webSocket`");
      const socket = new WebSocket(url, [subprotocol]);
      socket.binaryType = "arraybuffer";
      let open = false;
      /** Nothing is told after the end. */
      const end = () => {
        socket.onmessage = socket.onclose = socket.onopen = null;
        socket.onerror = () => {}; // some throw what nobody listens to
        signal.removeEventListener("abort", abort);
      };
      const abort = () => {
        end();
        reject(new TideError("unreachable", `no answer from ${url}`));
        socket.close();
      };
      socket.onopen = () => {
        if (socket.protocol !== subprotocol) {
          end();
          socket.close();
          reject(new TideError("unreachable", `the server at ${url} does not speak ${subprotocol}`));
          return;
        }
        open = true;
        signal.removeEventListener("abort", abort);
        resolve({
          send: (message) => socket.send(message),
          close(code, reason) {
            end();
            try {
              socket.close(code || 1000, reason.slice(0, 40));
            } catch {
              socket.close(); // a code that only a server may use
            }
          },
        });
      };
      socket.onmessage = ({ data }: { data: unknown }) => {
        if (typeof data !== "string") events.message(new Uint8Array(data as ArrayBuffer));
      };
      socket.onerror = () => {}; // a close follows, and says as much
      socket.onclose = ({ code, reason }: { code: number; reason: string }) => {
        end();
        if (open) events.closed(code, reason);
        else reject(new TideError("unreachable", `no connection to ${url}`));
      };
      signal.addEventListener("abort", abort);
      if (signal.aborted) abort();
    });
}
