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

// By their close codes: 4000 and up, 4100 and up, 4200 and up.
const closing: readonly (readonly Code[])[] = [
  ["going-away", "hello-late", "rate", "silent", "internal", "slow"],
  ["expired", "token"],
  ["malformed", "too-large", "upgrade", "out-of-order", "origin"],
];
const actions: readonly CloseAction[] = ["reconnect", "refresh the token", "stop"];

/** The WebSocket close code with which an error code ends a connection; undefined if it does not. */
export function closeCode(code: string): number | undefined {
  const range = closing.findIndex((codes) => (codes as readonly string[]).includes(code));
  return range < 0 ? undefined : 4000 + 100 * range + closing[range]!.indexOf(code as Code);
}

/** The error code that a close code stands for; undefined outside Tidegate's. */
export function codeOfClose(close: number): Code | undefined {
  return closing[Math.floor(close / 100) - 40]?.[close % 100];
}

/** What to do after this close code. Codes outside Tidegate's ranges mean that the connection broke. */
export function closeAction(close: number): CloseAction {
  return actions[Math.floor(close / 100) - 40] ?? "reconnect";
}
