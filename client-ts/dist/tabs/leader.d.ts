import type { LocalEngine } from "../shell.js";
import type { Message, Port } from "./channel.js";
/** Serves an engine to the tabs that follow. */
export declare class Leader {
    #private;
    readonly watchTab: (tab: string, dead: () => void) => void;
    readonly forget: () => Promise<void>;
    /** `watchTab` calls back when the tab has died; `closed` is called after the user has signed out. */
    constructor(engine: LocalEngine, port: Port, watchTab: (tab: string, dead: () => void) => void, forget: () => Promise<void>);
    close(): void;
    /** Notes that this tab, or another, needs a space. */
    hold(space: string, tab?: string): void;
    /** Notes that it does not; the last one releases it. */
    release(space: string, tab?: string): void;
    hear(message: Message): void;
}
