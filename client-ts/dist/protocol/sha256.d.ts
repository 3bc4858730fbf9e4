/** The SHA-256 of the parts, one behind the other. */
export declare function sha256(...parts: readonly Uint8Array[]): Uint8Array;
