// The numbers that the formats and the store fix, as in SPEC.md. They are not
// configurable: two sides that disagree on them could not talk.

/** The version of the protocol that this client speaks. */
export const version = 1;
/** The WebSocket subprotocol. */
export const subprotocol = "tidegate.v1";
/** The path under which a gateway serves the WebSocket. */
export const syncPath = "/sync";
/** The greatest nesting in anything that is sent, the frame's own array included. */
export const maxDepth = 32;
/** The greatest nesting of arrays and maps within one value. */
export const maxValueDepth = 24;
/** The greatest magnitude of a number: 2^53. */
export const maxInteger = 2 ** 53;
/** Bounds collection names, record ids, field paths, element ids and positions, in bytes of UTF-8. */
export const maxNameBytes = 255;
/** The size of a space's name table; later names travel literally. */
export const maxNames = 4096;
/** Bounds `FieldValue.was`, in encoded bytes. */
export const maxWas = 1024;
/** How many running hashes of a device the server remembers. */
export const maxRecent = 64;
/** The greatest number of ops in a mutation. */
export const maxOps = 1000;
/** Bounds a token, in bytes. */
export const maxTokenBytes = 16 << 10;
/** Bounds a rejection's or an error's message, in bytes. */
export const maxMessageText = 1024;

/** Defaults of what an operator may set; the welcome says what is in force. */
export const defaultLimits = {
  /** The largest message, in bytes. */
  frameBytes: 1 << 20,
  /** The largest mutation body, in bytes. */
  mutationBytes: 128 << 10,
  /** The largest presence value, in encoded bytes. */
  presenceBytes: 4 << 10,
} as const;
