import type { BlobID, Hash } from "./ids.js";
import type { Value } from "./value.js";
/** The running hash after a mutation with this body: the first 16 bytes of SHA-256(hash ‖ body). */
export declare function nextHash(hash: Hash, body: Uint8Array): Hash;
/** Names a value that is kept in an item of its own. */
export declare function blobOf(v: Value): BlobID;
