import { cell } from "./cell.js";

/** What is being said to users of screen readers. */
export const announcement = cell("");

/** Says something, after what is being said. */
export function announce(text: string): void {
  // The same text twice is news, too: a space more makes it another.
  announcement.set(announcement.get() === text ? `${text}\u00a0` : text);
}
