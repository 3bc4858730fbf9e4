import type { Core, CoreSpace } from "./core.js";
import type { Rec } from "./merge/index.js";
import type { Cursor, Page, Snapshot, SnapshotEnd } from "./protocol/index.js";
/**
 * A confirmed state that is coming in beside the present one, which stays to be
 * seen until the new one is whole. It lives in memory alone: a snapshot that
 * breaks off starts anew.
 */
export interface Stage {
    readonly records: Map<string, Rec>;
    cursor: Cursor;
    /**
     * True once the last page is here. Pages may be newer than the cursor; the state
     * is one that existed once the cursor has reached until.
     */
    ended: boolean;
    until: number;
}
export declare function newStage(ended?: boolean, until?: number): Stage;
export declare function beginSnapshot(s: CoreSpace, f: Snapshot): void;
export declare function page(s: CoreSpace, f: Page): void;
export declare function endSnapshot(c: Core, s: CoreSpace, f: SnapshotEnd): void;
/**
 * Puts the new state in the place of the old one when it is whole: records, cursor
 * and what leaves the queue with it, in one batch.
 */
export declare function finishStage(c: Core, s: CoreSpace): void;
