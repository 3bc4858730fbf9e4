import type { Watchable } from "@tidegate/client";
import { useEffect, useState } from "preact/hooks";

/** The present value of something watched; the component is drawn again when it changes. */
export function useWatch<T>(watched: Watchable<T>): T {
  const [, draw] = useState({});
  useEffect(() => {
    let last = watched.get();
    return watched.subscribe((value) => {
      if (Object.is(value, last)) return;
      last = value;
      draw({});
    });
  }, [watched]);
  return watched.get();
}

/** Draws the component again after each change that `subscribe` tells of. */
export function useNews(subscribe: (listener: () => void) => () => void, inputs: readonly unknown[]): void {
  const [, draw] = useState({});
  useEffect(() => subscribe(() => draw({})), inputs as unknown[]);
}
