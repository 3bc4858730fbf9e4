/** The version of the protocol that this client speaks. */
export declare const version = 1;
/** The WebSocket subprotocol. */
export declare const subprotocol = "tidegate.v1";
/** The path under which a gateway serves the WebSocket. */
export declare const syncPath = "/sync";
/** The greatest nesting in anything that is sent, the frame's own array included. */
export declare const maxDepth = 32;
/** The greatest nesting of arrays and maps within one value. */
export declare const maxValueDepth = 24;
/** The greatest magnitude of a number: 2^53. */
export declare const maxInteger: number;
/** Bounds collection names, record ids, field paths, element ids and positions, in bytes of UTF-8. */
export declare const maxNameBytes = 255;
/** The size of a space's name table; later names travel literally. */
export declare const maxNames = 4096;
/** Bounds `FieldValue.was`, in encoded bytes. */
export declare const maxWas = 1024;
/** How many running hashes of a device the server remembers. */
export declare const maxRecent = 64;
/** The greatest number of ops in a mutation. */
export declare const maxOps = 1000;
/** Bounds a token, in bytes. */
export declare const maxTokenBytes: number;
/** Bounds a rejection's or an error's message, in bytes. */
export declare const maxMessageText = 1024;
/** Defaults of what an operator may set; the welcome says what is in force. */
export declare const defaultLimits: {
    /** The largest message, in bytes. */
    readonly frameBytes: number;
    /** The largest mutation body, in bytes. */
    readonly mutationBytes: number;
    /** The largest presence value, in encoded bytes. */
    readonly presenceBytes: number;
};
