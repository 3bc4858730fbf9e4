import type { Engine, EngineOptions } from "../engine.js";
import type { ChannelLike } from "./channel.js";
/** What tabs need of their platform; navigator.locks and BroadcastChannel have it. */
export interface TabsPlatform {
    /** Calls `held` once the lock is free, and frees it when the promise settles or the tab dies. */
    lock(name: string, held: () => Promise<void>, signal: AbortSignal): void;
    channel(name: string): ChannelLike;
}
/** The platform's own; undefined where there is none, as in Node, React Native and insecure pages. */
export declare function tabsPlatform(): TabsPlatform | undefined;
/**
 * Makes the engine of one tab. The tabs that have the same store elect one, by a
 * lock, that runs the core and holds the socket; the others follow it and see
 * everybody's edits at once. When it dies, the next takes over with what is in the
 * store, and the others send it again what they cannot be sure of. Where tabs
 * cannot find each other, each runs by itself, and the store makes sure that one
 * of them owns it.
 */
export declare function tabsEngine(options: EngineOptions, platform?: TabsPlatform | undefined): Engine;
