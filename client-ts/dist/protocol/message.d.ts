import type { CommitHeader, Frame, Page, Section } from "./frame.js";
import type { Handle } from "./ids.js";
import type { NameTable } from "./name_table.js";
import { Reader } from "./reader.js";
import { Writer } from "./writer.js";
/** How messages from a gateway are decoded. */
export interface Decoding {
    /**
     * Finds the name table of the space that a handle stands for. Without one, a
     * number for a name is an error. Decoding a commit's header or a snapshot's
     * beginning adds to the table.
     */
    readonly names?: ((handle: Handle) => NameTable | undefined) | undefined;
    /**
     * Returns the frames that data holds, compressed with the dictionary of this id
     * (0 for none), and bounds what it returns; it throws for data that it cannot
     * unpack. Without it, compressed frames come out as they are.
     */
    readonly decompress?: ((dictionary: number, data: Uint8Array) => Uint8Array) | undefined;
}
/** What a client writes, to a gateway or to its store. */
export type Writable = Exclude<Frame, CommitHeader | Section | Page>;
/** A whole message. It throws a ProtocolError for a value or a string that cannot be sent. */
export declare function encodeMessage(...frames: readonly Writable[]): Uint8Array;
export declare function writeFrame(w: Writer, f: Writable): void;
/**
 * Decodes a message from a gateway. The frames do not refer to it. It throws a
 * ProtocolError: `upgrade` for an unknown format, `malformed`, with what and
 * where, for anything else.
 */
export declare function decodeMessage(message: Uint8Array, how?: Decoding): Frame[];
/** Decodes frames without a format byte, all of one space with this name table. */
export declare function decodeDelivery(data: Uint8Array, names?: NameTable): Frame[];
/** Reads one frame. */
export declare function readFrame(r: Reader): Frame;
