import type { Codec } from "./codec.js";
import type { Verdict } from "./verdict.js";
export declare const verdict: Codec<Verdict>;
