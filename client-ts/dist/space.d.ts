import { Collection } from "./collection.js";
import type { Engine, EngineEvent, SpaceData, SpaceOptions } from "./engine.js";
import type { Conflict, RejectedMutation } from "./inbox.js";
import type { Rec } from "./merge/index.js";
import type { Mutation, Op, RecordState } from "./protocol/index.js";
import type { Table } from "./query/index.js";
import type { Collections } from "./rows.js";
import type { SpaceStatus } from "./status.js";
import type { Rules, Tx } from "./tx.js";
import type { Watchable } from "./watch.js";
import type { Write } from "./write.js";
/** A device that shows its presence in a space. */
export interface Person {
    readonly device: string;
    readonly user: string;
    /** What it shows. */
    readonly value: any;
}
/** Who is there: ephemeral, never stored, the latest wins. */
export interface Presence extends Watchable<readonly Person[]> {
    /** Shows a value to the others while the client is connected: a cursor, a selection. Undefined takes it away. */
    set(value: unknown): void;
}
/** A mutation that was just made in this tab, for undo. */
export interface Made {
    readonly mutation: Mutation;
    /** The records it edits as they looked before it. */
    readonly before: ReadonlyMap<string, Rec | undefined>;
    /** What the maker said of it. */
    readonly mark: unknown;
    readonly write: Write;
}
/** Undo and redo of a space's own edits; made by the package's ./undo. */
export interface Undo {
    /** Takes back the newest edit of this tab that was not taken back; undefined if there is none. */
    undo(): Write | undefined;
    /** Makes the edit that was taken back last anew. */
    redo(): Write | undefined;
}
/** What a space needs from its client. */
export interface SpaceHost {
    readonly engine: Engine;
    readonly rules: Rules | undefined;
    readonly makeUndo: ((space: Space<any>) => Undo) | undefined;
    /** The last holder has let go. */
    closed(space: Space<any>): void;
}
/**
 * An app's view of one space: records to read and watch, mutations to make, and
 * the lists of what wants the user's attention.
 */
export declare class Space<S extends Collections = any> {
    #private;
    readonly name: string;
    /** Collisions that wait for a person: open ones, then settled ones that this device lost. */
    readonly conflicts: Watchable<readonly Conflict[]>;
    /** Mutations that the gateway rejected, oldest first. They stay until they are retried or discarded. */
    readonly rejected: Watchable<readonly RejectedMutation[]>;
    readonly presence: Presence;
    /** Resolves once the space can be read; rejects with a TideError if the store cannot be opened. */
    readonly ready: Promise<void>;
    constructor(host: SpaceHost, name: string, options: SpaceOptions);
    /** What the engine knows of the space; undefined while it is being loaded. */
    get data(): SpaceData | undefined;
    get rules(): Rules | undefined;
    /** The engine that runs the core. */
    get engine(): Engine;
    /** The records of one kind. */
    collection<C extends keyof S & string>(name: C): Collection<S, C>;
    /** The rows of a collection. */
    table(collection: string): Table<any>;
    /**
     * Makes the edits of `edit` as one mutation, which travels and is judged as one,
     * and shows it in the view before it returns. What `edit` throws, or an edit that
     * cannot be, undoes all of it and is thrown. `mark` is for the listeners of
     * {@link onMutate}.
     */
    mutate(edit: (tx: Tx<S>) => void, mark?: unknown): Write;
    /** Makes a mutation of ops that were made before, as {@link mutate} does. */
    mutateOps(ops: readonly Op[], mark?: unknown): Write;
    /** Takes back this tab's newest edit. Needs `undo` in the client's options. */
    undo(): Write | undefined;
    /** Makes the edit that was taken back last anew. */
    redo(): Write | undefined;
    /** Calls `listener` with each mutation of this tab, after it is in the view; returns how to stop that. */
    onMutate(listener: (made: Made) => void): () => void;
    /** The space's condition: the same object until it changes; undefined while it is being loaded. */
    get status(): SpaceStatus | undefined;
    /** Calls `listener` with the space's condition, at once and after each change. */
    onStatus(listener: (status: SpaceStatus) => void): () => void;
    /** Resolves once the space has confirmed the commit `seq`. */
    waitFor(seq: number): Promise<void>;
    /** Resolves once no mutation of the space waits for a verdict, and what was judged is confirmed. */
    drained(): Promise<void>;
    /** Resolves once `holds` is true of the space; rejects with a TideError `closed` if the client ends before. */
    until(holds: (data: SpaceData) => boolean): Promise<void>;
    /** The confirmed state, predictions left out. */
    confirmed(): RecordState[];
    /**
     * The digest of the confirmed state, in hexadecimal: two devices whose cursors
     * are equal, and who see the same, have the same.
     */
    stateHash(): Promise<string>;
    /** Makes an id: ids made later sort later. */
    newID(): string;
    /** Notes one more who needs the space; called by Client.space. */
    hold(): this;
    /** Lets go of the space: one call for each Client.space. The last one ends the sync, once the queue has drained. */
    close(): void;
    /** Runs what writes: now, or once the space is loaded. */
    run(write: () => Write): Write;
    /** Hands a mutation to the engine. */
    submit(mutation: Mutation, replaces?: number, mark?: unknown): Write;
    /** Makes ops anew in place of a rejected entry's, all of them as they were unless `edit` makes others. */
    retry(order: number, edit?: (tx: Tx<S>) => void): Write;
    /** Takes an entry off the list of rejections. */
    discard(order: number): void;
    /** Told by the client of what the engine tells. */
    told(event: EngineEvent & {
        kind: "space";
    }): void;
}
