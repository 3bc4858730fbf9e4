import type { ListItem } from "../rows.js";
import type { At, Path } from "./path.js";
/**
 * What a value must be; all that are given hold. Values of different types are
 * never less or greater than one another.
 */
export interface Operators<V> {
    readonly eq?: V | undefined;
    readonly ne?: V | undefined;
    readonly lt?: V;
    readonly lte?: V;
    readonly gt?: V;
    readonly gte?: V;
    /** One of these. */
    readonly in?: readonly V[];
    /** A string that begins so. */
    readonly prefix?: NonNullable<V> extends string ? string : never;
    /** A set or an array with this element, or a list with this value. */
    readonly has?: NonNullable<V> extends readonly (infer E)[] ? (E extends ListItem<infer T> ? T : E) : unknown;
}
/** A value that is wanted as it is, or operators. An object that is wanted as it is needs `eq`. */
export type Condition<V> = Operators<V> | (NonNullable<V> extends readonly unknown[] | Uint8Array | string | number | boolean ? V : never);
/** Conditions by path, which must all hold; or a function, which must be pure. */
export type Where<R> = {
    readonly [P in Path<R>]?: Condition<At<R, P>>;
} | ((row: R) => boolean);
/** A compiled where. */
export interface Filter<R> {
    readonly test: (row: R) => boolean;
    /** What can be looked up: a path, and the values of which it must have one. */
    readonly lookup?: {
        readonly path: string;
        readonly values: readonly unknown[];
    };
}
/** Compiles a where; throws a TypeError for an operator that there is not. */
export declare function compileWhere<R>(where: Where<R> | undefined): Filter<R>;
