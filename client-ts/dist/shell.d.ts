import { Core } from "./core.js";
import type { Engine, EngineEvent, EngineOptions, Origin, SpaceData, SpaceOptions, Submission } from "./engine.js";
import type { BlobID, Conflict, Mutation, Value } from "./protocol/index.js";
import type { Pending } from "./queue.js";
import type { Stats, Status } from "./status.js";
/** Runs the core in this tab. */
export declare class LocalEngine implements Engine {
    #private;
    constructor(options: EngineOptions);
    /** The core, for tools; undefined until the store is loaded. */
    get core(): Core | undefined;
    /** Settles once the store is loaded; rejects with a TideError if it cannot be. */
    get loaded(): Promise<void>;
    stats(): Stats | undefined;
    open(space: string, options: SpaceOptions): Promise<void>;
    release(space: string): void;
    space(name: string): SpaceData | undefined;
    mutate(space: string, mutation: Mutation, replaces?: number): Submission;
    /** `mutate`, for a mutation that another tab made: one that was taken already is not taken again. */
    submit(space: string, mutation: Mutation, replaces?: number, origin?: Origin): Submission & {
        readonly pending: Pending | undefined;
    };
    discard(space: string, entry: number): boolean;
    dismiss(space: string, conflict: Conflict): boolean;
    setPresence(space: string, value: Value | undefined): void;
    fetch(space: string, blob: BlobID): Promise<Value | undefined>;
    status(): Status;
    watch(listener: (event: EngineEvent) => void): () => void;
    reconnect(): void;
    now(): number;
    newID(): string;
    export(): Promise<Uint8Array>;
    close(forget?: boolean): Promise<void>;
}
