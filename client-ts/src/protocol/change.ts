import type { Value } from "./value.js";

/** What happened to a record. */
export const ChangeKind = {
  /** Fields of a living record changed. */
  fields: 0,
  /** The record is new; `fields` is all of it. */
  create: 1,
  delete: 2,
  /** The record is back; `fields` is all of it. */
  undelete: 3,
} as const;
export type ChangeKind = (typeof ChangeKind)[keyof typeof ChangeKind];

/** How a field changed: effects after merging, which need no decision and no schema. */
export const FieldChangeKind = {
  put: 0,
  unset: 1,
  setAdded: 2,
  setRemoved: 3,
  /** The element stays, thanks to an add that the author of a removal had not seen. Clients do nothing. */
  setKept: 4,
  listPut: 5,
  listMoved: 6,
  listSet: 7,
  listRemoved: 8,
} as const;
export type FieldChangeKind = (typeof FieldChangeKind)[keyof typeof FieldChangeKind];

/** The effect of a mutation on one field. What the kind does not use is undefined or empty. */
export interface FieldChange {
  readonly field: string;
  readonly kind: FieldChangeKind;
  readonly value: Value | undefined;
  readonly element: string;
  readonly position: string;
}

/** The effect of a mutation on one record. */
export interface Change {
  readonly collection: string;
  readonly id: string;
  readonly kind: ChangeKind;
  readonly fields: readonly FieldChange[];
}
