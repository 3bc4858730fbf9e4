import type { Client, Space, SpaceOptions } from "../index.js";

/** A space that components use. */
export interface Held {
  readonly space: Space<any>;
  /**
   * A component is mounted; call what it returns when it goes. Undefined if the
   * space was closed meanwhile: render again, for another.
   */
  mount(): (() => void) | undefined;
}

const held = new WeakMap<Client<any>, Map<string, Held>>();

/** How long a space stays open that was rendered and not mounted, or of which the last component went, in milliseconds. */
const linger = 1000;

/**
 * Returns a client's space, open for as long as components are mounted that use
 * it. Rendering may come to nothing (it is repeated, or thrown away), and a
 * component that moves is unmounted and mounted anew: so a space that nobody uses
 * lingers for a moment.
 */
export function holdSpace(client: Client<any>, name: string, options?: SpaceOptions): Held {
  const spaces = held.get(client) ?? new Map<string, Held>();
  held.set(client, spaces);
  const have = spaces.get(name);
  if (have) return have;
  const space = client.space(name, options);
  let mounted = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (mounted > 0) return;
      spaces.delete(name);
      space.close();
    }, linger);
  };
  const fresh: Held = {
    space,
    mount() {
      if (spaces.get(name) !== fresh) return undefined;
      mounted++;
      let here = true;
      return () => {
        if (!here) return;
        here = false;
        if (--mounted === 0) later();
      };
    },
  };
  spaces.set(name, fresh);
  later();
  return fresh;
}
