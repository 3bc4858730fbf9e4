import { useEffect, useRef } from "preact/hooks";
import type { BoardSpace } from "../board.js";
import type { CardRow } from "../rules.js";
import { Avatar } from "./avatar.js";

/** How long nobody types before a name counts as written. */
const pause = 700;

/** Who does the card: anybody's name. Two devices that assign two people are asked. */
export function Assignee({ space, card, people }: { space: BoardSpace; card: CardRow; people: string }) {
  const input = useRef<HTMLInputElement>(null);
  const timer = useRef(0);
  const assignee = card.assignee ?? "";
  useEffect(() => {
    if (input.current && timer.current === 0) input.current.value = assignee;
  }, [assignee]);
  useEffect(() => () => clearTimeout(timer.current), []);

  const save = () => {
    clearTimeout(timer.current);
    timer.current = 0;
    const name = input.current?.value.trim() ?? "";
    if (name === assignee) return;
    space.collection("demo-cards").update(card.id, (draft) => {
      if (name) draft.assignee = name;
      else delete draft.assignee;
    });
  };
  return (
    <span class="assignee">
      {assignee && <Avatar user={assignee} />}
      <input
        ref={input}
        data-testid="card-assignee"
        aria-label={`Assignee of ${card.title}`}
        placeholder="Assign"
        maxLength={60}
        autocomplete="off"
        spellcheck={false}
        list={people}
        onInput={() => {
          clearTimeout(timer.current);
          timer.current = window.setTimeout(save, pause);
        }}
        onChange={save}
        onBlur={save}
        onKeyDown={(event) => {
          if (event.key === "Enter") save();
          if (event.key === "Escape" && input.current) {
            input.current.value = assignee;
            save();
          }
        }}
      />
    </span>
  );
}
