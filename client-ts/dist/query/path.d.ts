/** Values that conditions and orders go no deeper into. */
type Leaf = string | number | boolean | null | undefined | readonly unknown[] | Uint8Array | ((...args: never[]) => unknown);
/**
 * The paths of a row: the names of its properties, and those within nested
 * objects joined with dots, four levels deep.
 */
export type Path<R, Depth extends 0[] = []> = Depth["length"] extends 4 ? never : {
    [K in keyof R & string]: NonNullable<R[K]> extends Leaf ? K : string extends keyof NonNullable<R[K]> ? K : K | `${K}.${Path<NonNullable<R[K]>, [...Depth, 0]>}`;
}[keyof R & string];
/** The type of what is at a path of a row. */
export type At<R, P extends string> = P extends keyof R ? R[P] : P extends `${infer K}.${infer Rest}` ? K extends keyof R ? At<NonNullable<R[K]>, Rest> : unknown : unknown;
/** Returns a function that reads a path of a row; undefined where there is nothing. */
export declare function reader(path: string): (row: unknown) => unknown;
export {};
