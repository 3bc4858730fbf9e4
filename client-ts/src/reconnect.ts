import type { Core, CoreSpace, Flight } from "./core.js";
import { fetched } from "./conflicts.js";
import { TideError, tideError } from "./error.js";
import { presentChanged } from "./presence.js";
import { ProtocolError, closeAction, codeOfClose, version } from "./protocol/index.js";
import type { Code, ErrorFrame, Frame, Handle, NameTable, Welcome } from "./protocol/index.js";
import { verdicts } from "./queue.js";
import { endSubscription, live, pushRefused, subscribed, unpark, unsubscribed } from "./subscribe.js";

/**
 * Where the connection is in its life: `idle` before start; `waiting` until
 * retryAt; `dialing` once Ready.connect was given; `hello` once connected; `live`
 * once welcomed; `stopped` once the server said that trying again would not help.
 */
export type LinkPhase = "idle" | "waiting" | "dialing" | "hello" | "live" | "stopped";

/** Bounds of the wait before a connection is tried again, in milliseconds: between 0 and a limit that starts at min and doubles up to max. */
export interface Backoff {
  readonly min: number;
  readonly max: number;
}

/** The connection and what it remembers. */
export interface Link {
  phase: LinkPhase;
  retryAt: number;
  attempts: number;
  /** The next connection needs another token. */
  fresh: boolean;
  /** The server asked to stay away: until when, chosen at random; 0 if it did not. */
  awayUntil: number;
  error: TideError | undefined;
  /** The last one. */
  welcome: Welcome | undefined;
  /** By how many milliseconds the server's clock is ahead. */
  clock: number;

  // What follows dies with the connection.
  /** The last one given. */
  handle: Handle;
  handles: Map<Handle, CoreSpace>;
  /** Handles that were given up and not answered yet: deliveries under them are still to be decoded, and what was pushed still counts. */
  ending: Map<Handle, { readonly names: NameTable; readonly inFlight: Flight }>;
  /** When it was made; when the last message came; whether it was pinged since. */
  since: number;
  heard: number;
  pinged: boolean;
  nonce: number;
  /** When to ask for a fresh token; 0 for never. */
  refreshAt: number;
  /** Something useful came over it. */
  proven: boolean;
  /** Values asked for. */
  fetching: number;
  /** Bytes of delivery messages; what the server was told of; when an acknowledgement is due, 0 if there is nothing to tell. */
  received: number;
  acked: number;
  ackAt: number;
}

export function newLink(): Link {
  return {
    phase: "idle", retryAt: 0, attempts: 0, fresh: false, awayUntil: 0, error: undefined, welcome: undefined, clock: 0, ...newConnection(0),
  };
}

function newConnection(now: number) {
  return {
    handle: 0,
    handles: new Map<Handle, CoreSpace>(),
    ending: new Map<Handle, { names: NameTable; inFlight: Flight }>(),
    since: now,
    heard: now,
    pinged: false,
    nonce: 0,
    refreshAt: 0,
    proven: false,
    fetching: 0,
    received: 0,
    acked: 0,
    ackAt: 0,
  };
}

// Deadlines of a connection, in milliseconds.
/** Bounds the wait for the welcome. */
const helloWithin = 10_000;
/** Used until the server has named its own interval. */
const defaultPing = 25_000;
/** How long before its expiry a token is refreshed. */
const tokenLead = 30_000;
/** How long a connection must have lived to count as a good one, if nothing useful came over it. */
const provenAfter = 10_000;
/** The wait after a refresh failed. */
const tokenRetry = 5_000;
/** What a server may ask for: to stay away for an hour, to have a clock a hundred years off. */
const longestAway = 3_600_000;
const longest = 100 * 365 * 24 * 3_600_000;

export function protocolError(code: Code, message: string): ProtocolError {
  return new ProtocolError(code, message);
}

export function outOfPlace(f: Frame): ProtocolError {
  return protocolError("out-of-order", `a frame "${f.frame}" in the wrong place`);
}

/** Whether frames can be sent. */
export function isUp(c: Core): boolean {
  return c.link.phase === "hello" || c.link.phase === "live";
}

function pingEvery(c: Core): number {
  return c.link.welcome?.pingEvery || defaultPing;
}

/** Does what the connection's timers ask for. */
export function runLink(c: Core): void {
  const l = c.link;
  switch (l.phase) {
    case "waiting":
      if (c.now >= l.retryAt && l.retryAt !== 0) {
        l.phase = "dialing";
        c.out.connect = true;
        c.out.freshToken = l.fresh;
        c.statusChanged = true;
      }
      break;
    case "hello":
      if (c.now >= l.heard + helloWithin) dropLink(c, protocolError("silent", "the gateway did not answer the hello"));
      break;
    case "live": {
      const every = pingEvery(c);
      if (c.now >= l.heard + 2 * every) {
        dropLink(c, protocolError("silent", "the gateway has been silent for too long"));
        break;
      }
      if (c.now >= l.heard + every && !l.pinged) {
        l.pinged = true;
        c.send({ frame: "ping", nonce: ++l.nonce });
      }
      if (l.refreshAt !== 0 && c.now >= l.refreshAt) {
        l.refreshAt = 0;
        c.out.refreshToken = true;
      }
    }
  }
}

export function linkWake(c: Core): number {
  const l = c.link;
  switch (l.phase) {
    case "waiting":
      return l.retryAt;
    case "hello":
      return l.heard + helloWithin;
    case "live":
      return Math.min(l.heard + (l.pinged ? 2 : 1) * pingEvery(c), l.refreshAt || Infinity);
  }
  return 0;
}

/** The connection that Ready.connect asked for is up. Token is what to show; empty for none. */
export function connected(c: Core, now: number, token: string): void {
  c.tick(now);
  const l = c.link;
  if (l.phase !== "dialing") return;
  const { nonce } = l;
  Object.assign(l, newConnection(c.now), { phase: "hello", fresh: false, nonce });
  unpark(c);
  c.send({
    frame: "hello",
    version,
    compression: c.config.compression,
    token,
    device: c.device,
    clock: c.now,
    window: c.config.window,
    client: c.config.client,
  });
  c.statusChanged = true;
  c.advance();
}

/** There is no token or no connection to be had now. */
export function connectFailed(c: Core, now: number, error: TideError): void {
  c.tick(now);
  if (c.link.phase !== "dialing") return;
  if (error.code === "url") stop(c, error);
  else wait(c, error);
  c.advance();
}

/** The connection has ended: with the code that the server closed it with, 0 if it just broke. */
export function disconnected(c: Core, now: number, code: number, error?: TideError): void {
  c.tick(now);
  if (!isUp(c)) return;
  endLink(c);
  // What the server said before it closed is worth more than that it closed.
  const why = error ?? new TideError(codeOfClose(code) ?? "unreachable", "the connection broke");
  const action = closeAction(code);
  if (action === "stop") {
    stop(c, why);
  } else {
    if (action === "refresh the token") c.link.fresh = true;
    wait(c, why);
  }
  c.advance();
}

/**
 * Tries at once, also if the client was stopped by the server: the app knows that
 * something changed (the network is back, the user has logged in).
 */
export function reconnect(c: Core, now: number): void {
  c.tick(now);
  const l = c.link;
  if (l.phase === "waiting" || l.phase === "stopped") {
    l.phase = "waiting";
    l.retryAt = Math.max(c.now, 1);
    l.attempts = 0;
  }
  c.advance();
}

/** Answers Ready.refreshToken. An error is tried again. */
export function tokenRefreshed(c: Core, now: number, token: string | TideError): void {
  c.tick(now);
  if (c.link.phase !== "live") return;
  if (typeof token === "string") {
    c.send({ frame: "token", token });
  } else {
    c.link.error = token;
    c.link.refreshAt = c.now + tokenRetry;
    c.statusChanged = true;
  }
  c.advance();
}

/** Closes the connection because of what came, or did not come, over it. */
export function dropLink(c: Core, error: unknown): void {
  if (!isUp(c)) return;
  const why = error instanceof ProtocolError ? new TideError(error.code, error.message, { cause: error }) : tideError(error, "internal");
  c.out.close = { code: why.code, message: why.message };
  endLink(c);
  // The server may speak a format that only a newer library knows.
  if (why.code === "upgrade") stop(c, why);
  else wait(c, why);
}

/** Does not try again: it would end the same way. */
function stop(c: Core, error: TideError): void {
  c.link.phase = "stopped";
  c.link.error = error;
  c.statusChanged = true;
}

/** Forgets what belongs to the connection. */
function endLink(c: Core): void {
  const l = c.link;
  for (const s of l.handles.values()) {
    endSubscription(s);
    s.changed();
  }
  for (const s of c.sorted) s.retryAt = 0;
  if (c.now >= l.since + provenAfter) progress(c);
  l.handles.clear();
  l.ending.clear();
  c.out.send = [];
  c.out.refreshToken = false;
}

/**
 * Starts the wait before the next connection: exponential backoff with full jitter
 * ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015), or the spread
 * that a gateway which is going away asked for.
 */
function wait(c: Core, error: TideError): void {
  const l = c.link;
  l.phase = "waiting";
  l.error = error;
  if (l.awayUntil) {
    l.retryAt = Math.max(c.now, l.awayUntil);
    l.awayUntil = 0;
  } else {
    l.retryAt = c.now + jitter(c, backoff(c, l.attempts));
    l.attempts++;
  }
  l.retryAt = Math.max(l.retryAt, 1);
  c.statusChanged = true;
}

/** The limit of the wait after a number of vain attempts. */
export function backoff(c: Core, attempts: number): number {
  const { min, max } = c.config.backoff;
  return Math.min(min * 2 ** Math.min(attempts, 30), max);
}

/** A random wait of at most limit, in milliseconds. */
export function jitter(c: Core, limit: number): number {
  let rest = 0;
  for (const byte of c.config.random(8)) rest = (rest * 256 + byte) % (limit + 1);
  return rest;
}

/**
 * Notes that the connection is good for something: the next wait is short again. A
 * welcome alone is not enough, else a gateway that fails right behind it would be
 * asked without end.
 */
export function progress(c: Core): void {
  if (!c.link.proven) {
    c.link.proven = true;
    c.link.attempts = 0;
  }
}

/** Takes the frames that are not deliveries. */
export function control(c: Core, f: Frame): void {
  const l = c.link;
  switch (f.frame) {
    case "welcome":
      return welcomed(c, f);
    case "error":
      return errorFrame(c, f);
    case "going away":
      l.awayUntil = Math.max(c.now + jitter(c, Math.min(f.within, longestAway)), 1);
      return;
  }
  if (l.phase !== "live") throw outOfPlace(f);
  switch (f.frame) {
    case "subscribed":
      return subscribed(c, f);
    case "unsubscribed":
      return unsubscribed(c, f);
    case "verdicts":
      return verdicts(c, f);
    case "present":
      return presentChanged(c, f);
    case "fetched":
      return fetched(c, f);
    case "token accept":
      expiresAt(c, f.expires);
      return unpark(c);
    case "ping":
      return c.send({ frame: "pong", nonce: f.nonce, clock: c.now });
    case "pong":
      return;
  }
  throw outOfPlace(f);
}

function welcomed(c: Core, w: Welcome): void {
  const l = c.link;
  if (l.phase !== "hello") throw outOfPlace(w);
  if (w.version !== version) throw protocolError("upgrade", `the gateway wants protocol version ${w.version}, this client speaks ${version}`);
  l.phase = "live";
  l.welcome = w;
  l.error = undefined;
  l.clock = bounded(w.clock - c.now);
  expiresAt(c, w.expires);
  c.stats.connections++;
  c.statusChanged = true;
}

/** The server's clock is anybody's guess. */
function bounded(ms: number): number {
  return Math.min(Math.max(ms, -longest), longest);
}

/** Plans the refresh of the token: some time before it ends, but not in the first three quarters of a short life. */
function expiresAt(c: Core, expires: number): void {
  const l = c.link;
  l.refreshAt = 0;
  if (expires === 0) return;
  const left = Math.max(bounded(expires - (c.now + l.clock)), 0);
  l.refreshAt = c.now + Math.floor(left - Math.min(tokenLead, left / 4));
}

function errorFrame(c: Core, f: ErrorFrame): void {
  if (f.handle === 0) {
    // If it ends the connection, the close code says what to do.
    c.link.error = new TideError(f.code as Code, f.message);
    c.statusChanged = true;
    return;
  }
  const s = c.link.handles.get(f.handle);
  if (s) pushRefused(c, s, f);
  else live(c, f.handle);
}
