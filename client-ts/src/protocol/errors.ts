/**
 * What went wrong, in a word that programs can compare. The first group ends the
 * connection; the others are about one subscription or push, and it goes on.
 * Codes that this version does not know may arrive: they are strings.
 */
export type Code =
  | "malformed"
  | "too-large"
  | "upgrade"
  | "out-of-order"
  | "origin"
  | "token"
  | "expired"
  | "hello-late"
  | "rate"
  | "silent"
  | "going-away"
  | "internal"
  | "slow"
  | "forbidden"
  | "space-name"
  | "subscriptions"
  | "unavailable"
  | "damaged"
  | "device-bound"
  | "unknown-outcome"
  | "base"
  | "schema-old"
  | "presence"
  | "mutation-too-large";

/** The rule of the value domain that a value breaks. */
export type Refusal =
  | "truncated"
  | "trailing"
  | "invalid"
  | "extension"
  | "depth"
  | "infinite"
  | "not-a-number"
  | "range"
  | "tiny"
  | "utf-8"
  | "key"
  | "duplicate-key"
  | "type";

/** What a client does after its connection was closed. */
export type CloseAction = "reconnect" | "refresh the token" | "stop";

/** What a peer did wrong, or a value or a name that cannot be sent. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: Code;
  /** The path of what the message is about, if it is about a part. */
  readonly field: string;
  /** Set if a value outside the domain was met. */
  readonly refusal: Refusal | undefined;

  constructor(code: Code, message: string, field = "", refusal?: Refusal) {
    super(message);
    this.code = code;
    this.field = field;
    this.refusal = refusal;
  }
}

const closeCodes: { readonly [code: string]: number } = {
  "going-away": 4000,
  "hello-late": 4001,
  rate: 4002,
  silent: 4003,
  internal: 4004,
  slow: 4005,
  expired: 4100,
  token: 4101,
  malformed: 4200,
  "too-large": 4201,
  upgrade: 4202,
  "out-of-order": 4203,
  origin: 4204,
};

/** The WebSocket close code with which an error code ends a connection; undefined if it does not. */
export function closeCode(code: string): number | undefined {
  return Object.hasOwn(closeCodes, code) ? closeCodes[code] : undefined;
}

/** The error code that a close code stands for; undefined outside Tidegate's. */
export function codeOfClose(close: number): Code | undefined {
  return Object.keys(closeCodes).find((code) => closeCodes[code] === close) as Code | undefined;
}

/** What to do after this close code. Codes outside Tidegate's ranges mean that the connection broke. */
export function closeAction(close: number): CloseAction {
  const range = Math.floor(close / 100);
  return range === 41 ? "refresh the token" : range === 42 ? "stop" : "reconnect";
}
