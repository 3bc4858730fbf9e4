import type { Write } from "@tidegate/client";

/** Takes what is typed into a field. */
export interface Typing {
  /** Writes the text, now or as soon as the device has stored the one before. Throws what the write throws. */
  type(text: string): void;
  /** Whether a text waits to be written. */
  readonly waiting: boolean;
}

/**
 * Writes a field while it is typed: at once, and then, as long as the device is
 * busy storing, only the latest text. A fast typist makes fewer mutations, and no
 * timer keeps a letter from being stored.
 */
export function typing(write: (text: string) => Write): Typing {
  let busy = false;
  let next: string | undefined;
  const start = (text: string) => {
    const { local } = write(text);
    busy = true;
    const done = () => {
      busy = false;
      const text = next;
      next = undefined;
      if (text === undefined) return;
      try {
        start(text);
      } catch {
        // Too long, say: whoever typed it was told when it came.
      }
    };
    local.then(done, done);
  };
  return {
    type(text) {
      if (busy) next = text;
      else start(text);
    },
    get waiting() {
      return next !== undefined;
    },
  };
}
