import type { Engine, EngineEvent, Judged, SpaceData, SpaceOptions, Submission } from "../engine.js";
import { TideError } from "../error.js";
import type { Kinds } from "../merge/index.js";
import type { BlobID, Conflict, Mutation, Value } from "../protocol/index.js";
import type { Status } from "../status.js";
import type { Predicted } from "../view.js";
import type { Waiting } from "../waiting.js";
import type { Answer, Call, Port, Sent } from "./channel.js";
/** A mutation of this tab without a verdict. It is sent to each new leader until it has one. */
export interface Mine extends Sent {
    readonly locally: Waiting<void>;
    readonly durably: Waiting<Judged>;
    /** Predicted by this tab; undefined once the leader's view has it. */
    predicted: Predicted | undefined;
}
interface Asked extends Call {
    readonly answer: Waiting<unknown>;
}
/** What a follower leaves to the engine that it becomes. */
export interface Left {
    /** In the order of their counters. */
    readonly mine: readonly Mine[];
    readonly asked: Iterable<Asked>;
    readonly opened: Iterable<Waiting<void>>;
}
/** What a follower must know of its tab. */
export interface RemoteOptions {
    readonly kinds: Kinds | undefined;
    readonly now: () => number;
    readonly newID: () => string;
}
/** Follows another tab's engine: it shows what that has, and its own edits at once. */
export declare class RemoteEngine implements Engine {
    #private;
    readonly port: Port;
    readonly options: RemoteOptions;
    constructor(port: Port, options: RemoteOptions);
    open(space: string, options: SpaceOptions): Promise<void>;
    release(space: string): void;
    space(space: string): SpaceData | undefined;
    mutate(space: string, mutation: Mutation, replaces?: number): Submission;
    discard(space: string, entry: number): boolean;
    dismiss(space: string, conflict: Conflict): boolean;
    setPresence(space: string, value: Value | undefined): void;
    fetch(space: string, blob: BlobID): Promise<Value | undefined>;
    export(): Promise<Uint8Array>;
    reconnect(): void;
    stats(): undefined;
    status(): Status;
    watch(listener: (event: EngineEvent) => void): () => void;
    now(): number;
    newID(): string;
    /** Stops following. `forget` asks the leader to clear the store, and then everybody ends. */
    close(forget?: boolean): Promise<void>;
    /** Everything that waits is over. */
    end(why: TideError): void;
    /** Shows an error in the status; undefined takes it away. */
    fail(why: TideError | undefined): void;
    /** Whether there is a leader of this tab's version. */
    get following(): boolean;
    /** Whether the app has signed out, and waits for a leader to do it. */
    get forgetting(): boolean;
    /** The spaces that this tab's app needs. */
    get wanted(): ReadonlyMap<string, SpaceOptions>;
    /** The same, and those of which mutations are under way. */
    needed(): Map<string, SpaceOptions>;
    /** Stops following, and returns everything that waits: the tab leads now. */
    leave(): Left;
    /** Hears the leader. */
    hear(from: string, answer: Answer): void;
    /**
     * Asks who leads. What is not an answer to the last question counts for nothing:
     * an earlier leader's words may come after it has died, and behind the next one's.
     */
    who(): void;
}
export {};
