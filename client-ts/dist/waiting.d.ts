import type { TideError } from "./error.js";
/** A promise that is settled from outside. */
export interface Waiting<T> {
    readonly promise: Promise<T>;
    readonly resolve: (value: T) => void;
    readonly reject: (error: TideError) => void;
}
/** Makes one. Nobody has to listen to its rejection. */
export declare function waiting<T>(): Waiting<T>;
