import type { Value } from "./value.js";

/** What an op does. The numbers are the wire's. */
export const OpKind = {
  /** Makes a record. Rejected `exists` or `deleted` if it is or was there. */
  create: 1,
  /** Gives a field a value; several fields only if they are the members of one x-merge-group. */
  set: 2,
  /** Removes a field; merged as a set to "absent". */
  unset: 3,
  /** Adds a number, which may be negative, to a counter. */
  add: 4,
  /** Raises a max field to a number if that is greater. */
  max: 5,
  /** Lowers a min field to a number if that is smaller. */
  min: 6,
  setAdd: 7,
  /** Removes an element of a set as far as the author had seen it: an unseen add survives. */
  setRemove: 8,
  listInsert: 9,
  listMove: 10,
  listSet: 11,
  listRemove: 12,
  delete: 13,
  /** Brings a deleted record back as it was. */
  undelete: 14,
  /** Closes an open conflict, giving its field a value. */
  resolve: 15,
} as const;
export type OpKind = (typeof OpKind)[keyof typeof OpKind];

/** The system collection that holds the open conflicts of a space, one record a field. */
export const conflictCollection = "_conflicts";

/** A value for a field. */
export interface FieldValue {
  readonly field: string;
  /** Undefined removes the field (in an `OpSet` of a group). */
  readonly value: Value | undefined;
  /**
   * What the author saw in the field before: the base of a conflict, if there will
   * be one. It decides nothing. Undefined if there was none, or it was longer than
   * `maxWas` bytes.
   */
  readonly was?: Value | undefined;
}

interface Target {
  readonly collection: string;
  readonly id: string;
}

export interface OpCreate extends Target {
  readonly kind: typeof OpKind.create;
  readonly fields: readonly FieldValue[];
}

export interface OpSet extends Target {
  readonly kind: typeof OpKind.set;
  /** One, or the members of one group: those win or lose as one. */
  readonly fields: readonly FieldValue[];
}

export interface OpUnset extends Target {
  readonly kind: typeof OpKind.unset;
  readonly field: string;
  readonly was?: Value | undefined;
}

/** Arithmetic, with a number; or an element of a set. */
export interface OpOperand extends Target {
  readonly kind: 4 | 5 | 6 | 7 | 8;
  readonly field: string;
  readonly value: Value;
}

export interface OpListInsert extends Target {
  readonly kind: typeof OpKind.listInsert;
  readonly field: string;
  /** The element's id, made by the client, unique in the field. */
  readonly element: string;
  /** See `between` in merge/position.ts. */
  readonly position: string;
  readonly value: Value;
}

export interface OpListMove extends Target {
  readonly kind: typeof OpKind.listMove;
  readonly field: string;
  readonly element: string;
  readonly position: string;
}

export interface OpListSet extends Target {
  readonly kind: typeof OpKind.listSet;
  readonly field: string;
  readonly element: string;
  readonly value: Value;
  readonly was?: Value | undefined;
}

export interface OpListRemove extends Target {
  readonly kind: typeof OpKind.listRemove;
  readonly field: string;
  readonly element: string;
}

/** Delete or undelete the record. */
export interface OpRecord extends Target {
  readonly kind: 13 | 14;
}

/** Its collection is always `conflictCollection`, its id the open conflict's. */
export interface OpResolve extends Target {
  readonly kind: typeof OpKind.resolve;
  /** Undefined removes the field. */
  readonly value?: Value | undefined;
}

/** One change to one field or record, as the user made it. */
export type Op =
  | OpCreate
  | OpSet
  | OpUnset
  | OpOperand
  | OpListInsert
  | OpListMove
  | OpListSet
  | OpListRemove
  | OpRecord
  | OpResolve;

/**
 * Demands that nobody else has changed a record, or one field of it, after
 * `version`; 0 demands that it does not exist.
 */
export interface Precondition {
  readonly collection: string;
  readonly id: string;
  /** The field's path; empty for the whole record. */
  readonly field: string;
  readonly version: number;
}

/** A list of ops, sent and answered together. Its id stands outside, in the push that carries it. */
export interface Mutation {
  /** The seq that the author had seen. */
  readonly base: number;
  /** When the user made the edit, by the device's clock, in milliseconds. */
  readonly editTime: number;
  /** Of the schema that the client was built for; 0 for none. */
  readonly schemaVersion: number;
  /** All or nothing: rejected `stale` if any op would lose to a concurrent one. */
  readonly whole: boolean;
  readonly preconditions: readonly Precondition[];
  /** 1 to `maxOps`. */
  readonly ops: readonly Op[];
}
