import type { Client, Space, SpaceOptions } from "../index.js";
/** A space that components use. */
export interface Held {
    readonly space: Space<any>;
    /**
     * A component is mounted; call what it returns when it goes. Undefined if the
     * space was closed meanwhile: render again, for another.
     */
    mount(): (() => void) | undefined;
}
/**
 * Returns a client's space, open for as long as components are mounted that use
 * it. Rendering may come to nothing (it is repeated, or thrown away), and a
 * component that moves is unmounted and mounted anew: so a space that nobody uses
 * lingers for a moment.
 */
export declare function holdSpace(client: Client<any>, name: string, options?: SpaceOptions): Held;
