import type { ClientFrame } from "./frame.js";
/** The element budget of a message from a client. */
export declare const maxElements: number;
/** Scans and decodes a message from a client: frames that only a gateway sends are malformed here. */
export declare function decodeClientMessage(message: Uint8Array): ClientFrame[];
/**
 * Checks a message before anything decodes it: its format byte, that every
 * declared length and count can be there, at most `maxDepth` levels and
 * `maxElements` elements, no extension types, arrays at the top.
 */
export declare function scan(message: Uint8Array): void;
