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
export declare const noDevice: DeviceID;
/** The running hash before the first mutation. */
export declare const noHash: Hash;
export declare const noBlob: BlobID;
/** Stands before the first commit. */
export declare const noCursor: Cursor;
/** The n bytes from `at` on in lower-case hexadecimal; all of them if not said otherwise. */
export declare function toHex(bytes: Uint8Array, at?: number, n?: number): string;
/** The text of a UUID whose 16 bytes begin at `at`. */
export declare function formatUUID(bytes: Uint8Array, at?: number): string;
/** The bytes that lower-case hexadecimal digits, or a UUID with its hyphens, stand for. */
export declare function fromHex(text: string): Uint8Array;
/** Whether text is the canonical text of a UUID: lower case, hyphens in their places. */
export declare function isUUID(text: string): boolean;
/**
 * A UUIDv7 (RFC 9562, 5.7): 48 bits of milliseconds, the version, and random bits
 * around the variant. `random` has 16 bytes, of which the last 10 are used.
 */
export declare function uuidV7(now: Time, random: Uint8Array): DeviceID;
