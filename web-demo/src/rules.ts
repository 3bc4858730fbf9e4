// What the page keeps in a space, and what becomes of concurrent edits of it. The
// gateway has the same rules: schema/ is built into both.
import type { Counter, ListOf, Row, SetOf } from "@tidegate/client";
import { defineSchema } from "@tidegate/client/schema";
import boards from "../schema/demo-boards.json";
import cards from "../schema/demo-cards.json";

/** The board of a space: there is one, whose id is {@link boardID}. */
export interface Board {
  /** Titles of the columns. An element's id is the column's. */
  readonly columns?: ListOf<string>;
  /** Ids of cards: in which order they stand, over all columns. */
  readonly order?: ListOf<string>;
}

export interface Card {
  readonly title: string;
  /** The id of the column's element. */
  readonly column: string;
  readonly labels?: SetOf<string>;
  readonly votes?: Counter;
  /** Times in ISO 8601, by UTC. They win or lose as one. */
  readonly start?: string;
  readonly end?: string;
  readonly assignee?: string;
  readonly estimate?: number;
}

/** The collections of a space. */
export type Records = { "demo-boards": Board; "demo-cards": Card };

export type CardRow = Row<Card>;
export type BoardRow = Row<Board>;

/** Without a version: a gateway that serves the page has no schema of its own. */
export const schema = defineSchema<Records>({ version: 0, collections: { "demo-boards": boards, "demo-cards": cards } });

export const boardID = "board";
export const labels: readonly string[] = cards.properties.labels.items.enum;
export const estimates: readonly number[] = cards.properties.estimate.enum;
