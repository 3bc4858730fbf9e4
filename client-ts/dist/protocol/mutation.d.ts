import type { Mutation } from "./op.js";
/** A mutation's body. It throws a ProtocolError for a value or a string that cannot be sent. */
export declare function encodeMutation(m: Mutation): Uint8Array;
/**
 * Reads a mutation's body, to which the mutation does not refer. It throws a
 * ProtocolError: `malformed`, `upgrade`, or `too-large` for more than `maxOps`
 * ops or more small parts than its bytes allow.
 */
export declare function decodeMutation(body: Uint8Array): Mutation;
