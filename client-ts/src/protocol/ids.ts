import { sha256 } from "./sha256.js";
import { fromUnits } from "./text.js";

/** Names one durable store of a client: a UUID, lower case with hyphens. */
export type DeviceID = string;
/** The random name of one attempt to append a commit: 16 hexadecimal digits. */
export type CommitID = string;
/** The running hash of a device's mutations in a space: 32 hexadecimal digits. */
export type Hash = string;
/** Names a large overwritten value: 32 hexadecimal digits; `noBlob` for none. */
export type BlobID = string;
/** A point in time in milliseconds since the Unix epoch, an integer. */
export type Time = number;
/** A connection's short name for a subscribed space, from 1 on. */
export type Handle = number;

/** The last commit that a device has durably applied in a space. */
export interface Cursor {
  readonly seq: number;
  readonly commit: CommitID;
}

/** Who made a mutation: a device, and the user whose token it showed. */
export interface Author {
  readonly device: DeviceID;
  readonly user: string;
}

/** Names no device. */
export const noDevice: DeviceID = "00000000-0000-0000-0000-000000000000";
/** The running hash before the first mutation. */
export const noHash: Hash = "00000000000000000000000000000000";
export const noBlob: BlobID = noHash;
/** Stands before the first commit. */
export const noCursor: Cursor = { seq: 0, commit: "0000000000000000" };

const digits: string[] = [];
for (let i = 0; i < 256; i++) digits.push((i + 256).toString(16).slice(1));

/** The bytes from `from` to `to` in lower-case hexadecimal. */
export function toHex(bytes: Uint8Array, from = 0, to = bytes.length): string {
  let s = "";
  for (let i = from; i < to; i++) s += digits[bytes[i]!];
  return s;
}

/** The bytes that hexadecimal digits, or a UUID with its hyphens, stand for. */
export function fromHex(text: string): Uint8Array {
  const hex = text.replaceAll("-", "");
  const bytes = new Uint8Array(hex.length >> 1);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

const units: number[] = [];

/** The text of a UUID whose 16 bytes begin at `at`. */
export function formatUUID(b: Uint8Array, at = 0): string {
  for (let i = 0, n = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) units[n++] = 0x2d;
    for (const digit of [b[at + i]! >> 4, b[at + i]! & 15]) units[n++] = digit + (digit < 10 ? 0x30 : 0x57);
  }
  return fromUnits(units);
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether text is the canonical text of a UUID: lower case, hyphens in their places. */
export function isUUID(text: string): boolean {
  return text.length === 36 && uuid.test(text);
}

/**
 * A UUIDv7 (RFC 9562, 5.7): 48 bits of milliseconds, the version, and random bits
 * around the variant. `random` has 16 bytes, of which the last 10 are used.
 */
export function uuidV7(now: Time, random: Uint8Array): DeviceID {
  const id = random.slice(0, 16);
  for (let i = 5, ms = now; i >= 0; i--, ms = Math.floor(ms / 256)) id[i] = ms % 256;
  id[6] = 0x70 | (id[6]! & 0x0f);
  id[8] = 0x80 | (id[8]! & 0x3f);
  return formatUUID(id);
}

/** The running hash after a mutation with this body: the first 16 bytes of SHA-256(hash ‖ body). */
export function nextHash(hash: Hash, body: Uint8Array): Hash {
  return toHex(sha256(fromHex(hash), body), 0, 16);
}
