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

/** Where the hyphens of a UUID stand: before these bytes. */
const hyphens = [4, 6, 8, 10];
const units: number[] = [];

function show(b: Uint8Array, at: number, n: number, hyphens: readonly number[]): string {
  units.length = 0;
  for (let i = 0; i < n; i++) {
    if (hyphens.includes(i)) units.push(0x2d);
    const high = b[at + i]! >> 4;
    const low = b[at + i]! & 15;
    units.push(high + (high < 10 ? 0x30 : 0x57), low + (low < 10 ? 0x30 : 0x57));
  }
  return fromUnits(units);
}

/** The n bytes from `at` on in lower-case hexadecimal; all of them if not said otherwise. */
export function toHex(bytes: Uint8Array, at = 0, n = bytes.length - at): string {
  return show(bytes, at, n, []);
}

/** The text of a UUID whose 16 bytes begin at `at`. */
export function formatUUID(bytes: Uint8Array, at = 0): string {
  return show(bytes, at, 16, hyphens);
}

/** The bytes that lower-case hexadecimal digits, or a UUID with its hyphens, stand for. */
export function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length >> 1);
  let n = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 0x2d) continue;
    bytes[n >> 1] = (bytes[n >> 1]! << 4) | (unit < 0x40 ? unit & 15 : (unit & 15) + 9);
    n++;
  }
  return bytes.subarray(0, n >> 1);
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
