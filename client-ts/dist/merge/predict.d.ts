import type { FieldKind, Op } from "../protocol/index.js";
import type { Rec } from "./record.js";
/** How a schema lays out a field; undefined where it does not say. */
export type Kinds = (collection: string, field: string) => FieldKind | undefined;
/**
 * What a client shows of a record while an op on it is pending: the op's effect
 * as if nothing were concurrent. An op that would be rejected changes nothing.
 * The version stays the confirmed one.
 *
 * A resolve makes the open conflict go, which is its record; what happens to the
 * field is predicted as a set of the record that the conflict is about. With
 * kinds, a created record's arrays are laid out as the gateway will.
 */
export declare function predict(r: Rec | undefined, op: Op, kinds?: Kinds): Rec | undefined;
