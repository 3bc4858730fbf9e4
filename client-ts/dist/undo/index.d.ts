import type { Space, Undo } from "../space.js";
import type { Watchable } from "../watch.js";
/** Settings of {@link undoWith}; all may be left out. */
export interface UndoOptions {
    /**
     * Edits of the same fields within so many milliseconds of one another are taken
     * back as one (500): what was typed, not each letter of it.
     */
    readonly capture?: number;
    /** How many edits can be taken back (100). */
    readonly limit?: number;
}
/** How much can be undone and redone, for buttons. */
export interface UndoState {
    readonly undo: number;
    readonly redo: number;
}
/** Undo with the default settings: `createClient({ undo, … })`. */
export declare const undo: (space: Space<any>) => Undo;
/** Makes undo with settings: `createClient({ undo: undoWith({ limit: 20 }), … })`. */
export declare function undoWith(options?: UndoOptions): (space: Space<any>) => Undo;
/** How much of a space's edits can be undone and redone. */
export declare function undoState(space: Space<any>): Watchable<UndoState>;
