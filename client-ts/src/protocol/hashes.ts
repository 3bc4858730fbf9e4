import { encodeValue } from "./canonical.js";
import { fromHex, toHex } from "./ids.js";
import type { BlobID, Hash } from "./ids.js";
import { sha256 } from "./sha256.js";
import type { Value } from "./value.js";

/** The running hash after a mutation with this body: the first 16 bytes of SHA-256(hash ‖ body). */
export function nextHash(hash: Hash, body: Uint8Array): Hash {
  return toHex(sha256(fromHex(hash), body), 0, 16);
}

/** Names a value that is kept in an item of its own. */
export function blobOf(v: Value): BlobID {
  return toHex(sha256(encodeValue(v)), 0, 16);
}
