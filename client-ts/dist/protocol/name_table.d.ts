/** Numbers the collections and fields of a space, in the order in which commits first used them. */
export declare class NameTable {
    #private;
    /** Names beyond `maxNames` and repeated ones are left out. */
    constructor(names?: Iterable<string>);
    /** The names in the order of their numbers; not to be changed. */
    get names(): readonly string[];
    number(name: string): number | undefined;
    name(n: number): string | undefined;
    /** Gives name the next number; false if it has one already or the table is full. */
    add(name: string): boolean;
    /** Forgets the names from number n on. */
    truncate(n: number): void;
    clone(): NameTable;
    /**
     * Takes over the names that a commit or a snapshot brings, and says whether they
     * fit. Those that the table has already are compared: a device that resumes behind
     * a snapshot's cursor is sent some of them again.
     */
    learn(first: number, names: readonly string[]): boolean;
}
