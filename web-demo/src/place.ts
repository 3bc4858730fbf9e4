/** A device that the page runs. */
export interface Seat {
  /** Which pane it has. */
  readonly pane: "a" | "b";
  readonly user: string;
  /** The name of its store in the browser. */
  readonly store: string;
}

/** What the page's address says: which space, and who is here. */
export interface Place {
  readonly space: string;
  readonly seats: readonly Seat[];
}

/**
 * Reads an address. `/` is a page with two devices; `/?space=NAME&user=NAME` is one
 * device, of that user. Each user has a store of their own in this browser.
 */
export function placeOf(search: string): Place {
  const query = new URLSearchParams(search);
  const space = query.get("space") || "demo";
  const user = query.get("user");
  if (user || query.has("space")) {
    const name = user || "guest";
    return { space, seats: [{ pane: "a", user: name, store: `user-${name}` }] };
  }
  return {
    space,
    seats: [
      { pane: "a", user: "Ada", store: "pane-a" },
      { pane: "b", user: "Ben", store: "pane-b" },
    ],
  };
}
