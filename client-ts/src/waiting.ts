import type { TideError } from "./error.js";

/** A promise that is settled from outside. */
export interface Waiting<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: TideError) => void;
}

/** Makes one. Nobody has to listen to its rejection. */
export function waiting<T>(): Waiting<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: TideError) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  promise.catch(() => {}); // whoever wants to know hears it, too
  return { promise, resolve, reject };
}
