import type { Draft } from "./edit.js";
import type { Query, QueryOptions, Table } from "./query/index.js";
import type { Collections, Given, Row } from "./rows.js";
import type { Space } from "./space.js";
import type { Watchable } from "./watch.js";
import type { Write } from "./write.js";

/** A new record's write. */
export interface Created extends Write {
  readonly id: string;
}

/**
 * The records of one kind in a space. Each method that writes makes a mutation of
 * its own; for several at once use {@link Space.mutate}. What cannot be (a value
 * that the schema refuses, say) is thrown as a TideError `invalid`, and nothing of
 * it is kept. While the store is still being loaded, edits wait for it, and such
 * an error rejects `local` instead.
 */
export class Collection<S extends Collections, C extends keyof S & string> {
  readonly #table: Table<Row<S[C]>>;

  constructor(
    readonly space: Space<S>,
    readonly name: C,
  ) {
    this.#table = space.table(name);
  }

  /** A record as the user should see it: confirmed, with what is pending on top. */
  get(id: string): Row<S[C]> | undefined {
    return this.#table.get(id);
  }

  /** One record, to look at and to be told of; undefined while there is none. */
  record(id: string): Watchable<Row<S[C]> | undefined> {
    return {
      get: () => this.get(id),
      subscribe: (listener) => {
        const stop = this.#table.watch(id, () => listener(this.get(id)));
        if (this.space.data) listener(this.get(id));
        return stop;
      },
    };
  }

  /** The records that fit, in order, kept up to date. */
  query(options?: QueryOptions<Row<S[C]>>): Query<Row<S[C]>> {
    return this.#table.query(options);
  }

  /** Makes a record, with a new id unless one is given. */
  create(fields: Given<S[C]>, id = this.space.newID()): Created {
    return Object.assign(
      this.space.mutate((tx) => tx.create(this.name, fields, id)),
      { id },
    );
  }

  /** Edits a record that exists. An update never creates. */
  update(id: string, edit: (draft: Draft<S[C]>) => void): Write {
    return this.space.mutate((tx) => tx.update(this.name, id, edit));
  }

  /** Deletes a record. */
  delete(id: string): Write {
    return this.space.mutate((tx) => tx.delete(this.name, id));
  }

  /** Brings a deleted record back as it was. */
  undelete(id: string): Write {
    return this.space.mutate((tx) => tx.undelete(this.name, id));
  }
}
