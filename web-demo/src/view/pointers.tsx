import { useLayoutEffect, useRef } from "preact/hooks";
import type { BoardSpace } from "../board.js";
import type { Shown } from "../pointer.js";
import { colourOf } from "./avatar.js";
import { useWatch } from "./watch.js";

/** The others' pointers over a board, and outlines around the cards that they edit. */
export function Pointers({ space, board }: { space: BoardSpace; board: HTMLElement | null }) {
  const people = useWatch(space.presence);
  return (
    <div class="pointers" aria-hidden="true">
      {people.map(({ device, user, value }) => {
        const shown = (value ?? {}) as Shown;
        return shown.at && board ? <Pointer key={device} user={user} at={shown.at} board={board} /> : null;
      })}
    </div>
  );
}

function Pointer({ user, at, board }: { user: string; at: NonNullable<Shown["at"]>; board: HTMLElement }) {
  const element = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const place = () => {
      const pointer = element.current;
      const frame = pointer?.parentElement?.getBoundingClientRect();
      const anchor = [...board.querySelectorAll<HTMLElement>("[data-anchor]")].find((e) => e.dataset["anchor"] === at.anchor);
      if (!pointer || !frame) return;
      pointer.hidden = !anchor;
      if (!anchor) return;
      const box = anchor.getBoundingClientRect();
      pointer.style.transform = `translate(${box.left - frame.left + at.x * box.width}px, ${box.top - frame.top + at.y * box.height}px)`;
    };
    place();
    board.addEventListener("scroll", place, { passive: true });
    return () => board.removeEventListener("scroll", place);
  });
  return (
    <div ref={element} class={`pointer ${colourOf(user)}`}>
      <svg viewBox="0 0 16 16">
        <path d="M2 1.500 13.500 7 8.500 8.700 6.700 13.700z" />
      </svg>
      <span>{user}</span>
    </div>
  );
}
