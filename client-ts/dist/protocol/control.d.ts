import type { Codec } from "./codec.js";
import type { Frame } from "./frame.js";
import type { Author } from "./ids.js";
import type { Reader } from "./reader.js";
import type { Writer } from "./writer.js";
/** How a kind of frame is written, its head included, and read behind its head and type. */
export interface Layout {
    readonly type: number;
    readonly frame: Frame["frame"];
    /** Only of what a client writes, to a gateway or its store. */
    write?(w: Writer, frame: Frame): void;
    read(r: Reader, n: number): Frame;
}
export declare const commit: Codec<string>;
/** A device and its user, as two elements. */
export declare const author: Codec<Author>;
/** Takes over the names that a frame brings. */
export declare function learn(r: Reader, first: number, names: readonly string[]): void;
export declare const control: readonly Layout[];
