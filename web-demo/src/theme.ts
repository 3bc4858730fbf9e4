import { cell } from "./cell.js";

/** Light, dark, or what the system says. */
export type Theme = "auto" | "light" | "dark";

const order: readonly Theme[] = ["auto", "light", "dark"];
const key = "theme";
const kept = localStorage.getItem(key);

export const theme = cell<Theme>(order.find((name) => name === kept) ?? "auto");

export function nextTheme(now: Theme): Theme {
  return order[(order.indexOf(now) + 1) % order.length] ?? "auto";
}

/** Shows a theme, and keeps it for the next visit. */
export function applyTheme(now: Theme): void {
  document.documentElement.dataset["theme"] = now;
  if (now === "auto") localStorage.removeItem(key);
  else localStorage.setItem(key, now);
}
