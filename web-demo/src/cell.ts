import type { Watchable } from "@tidegate/client";

/** A value of the page's own that can be looked at as the client's are. */
export interface Cell<T> extends Watchable<T> {
  set(value: T): void;
}

export function cell<T>(value: T): Cell<T> {
  const listeners = new Set<(value: T) => void>();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const listener of [...listeners]) listener(value);
    },
    subscribe(listener) {
      listeners.add(listener);
      listener(value);
      return () => listeners.delete(listener);
    },
  };
}
