import { useEffect, useRef, useState } from "preact/hooks";
import type { Conflict, RejectedMutation, Version } from "@tidegate/client";
import { columnsOf } from "../board.js";
import type { Column } from "../board.js";
import type { Device } from "../device.js";
import { clockText, fieldName, valueText } from "../words.js";
import { Avatar } from "./avatar.js";
import { refusalText } from "./field.js";
import { Icon } from "./icons.js";
import { RejectedEdit } from "./rejected.js";
import { useWatch } from "./watch.js";

/** What waits for the user of a device: edits that collided, and edits that were rejected. */
export function Inbox({ device, close }: { device: Device; close: () => void }) {
  const { space } = device;
  const conflicts = useWatch(space.conflicts);
  const rejected = useWatch(space.rejected);
  const head = useRef<HTMLHeadingElement>(null);
  useEffect(() => head.current?.focus(), []);
  const columns = columnsOf(space);
  return (
    <section
      class="inbox"
      data-testid="inbox"
      aria-label={`Inbox of ${device.user}`}
      onKeyDown={(event) => {
        if (event.key === "Escape") close();
      }}
    >
      <header class="row">
        <h3 ref={head} tabIndex={-1}>
          Inbox
        </h3>
        <button type="button" class="ghost" aria-label="Close the inbox" data-testid="inbox-close" onClick={close}>
          <Icon name="close" />
        </button>
      </header>
      {conflicts.length + rejected.length === 0 && <p class="quiet nothing">Nothing collided, nothing was rejected.</p>}
      <ul class="notices">
        {conflicts.map((conflict) => (
          <Collision key={conflict.id} device={device} conflict={conflict} columns={columns} />
        ))}
        {rejected.map((edit: RejectedMutation) => (
          <RejectedEdit key={edit.id} device={device} rejected={edit} columns={columns} />
        ))}
      </ul>
    </section>
  );
}

/** What a record is called. */
export function recordName(device: Device, collection: string, id: string): string {
  if (collection === "demo-boards") return "the board";
  const card = device.space.collection("demo-cards").get(id);
  return card ? `“${card.title}”` : "a deleted card";
}

function Collision({ device, conflict, columns }: { device: Device; conflict: Conflict; columns: readonly Column[] }) {
  const [another, setAnother] = useState<string>();
  const [refusal, setRefusal] = useState("");
  const { open, field, mine, theirs } = conflict;
  const deletion = field === "";
  const act = (action: () => unknown) => () => {
    try {
      action();
    } catch (error) {
      setRefusal(refusalText(error));
    }
  };
  return (
    <li class={`notice ${open ? "is-open" : ""}`} data-testid="conflict" data-field={field} data-open={open}>
      <h4>
        {deletion ? "Deletion" : fieldName(field)} of {recordName(device, conflict.collection, conflict.record)}
      </h4>
      <p class="quiet">
        {open
          ? "Two people chose at once. The first choice stands until somebody decides."
          : `Decided by the rule of this field (${ruleText(conflict.policy)}). Your value was kept here.`}
      </p>
      <table>
        <tbody>
          <tr>
            <th scope="row">Before</th>
            <td>{deletion ? "" : valueText(field, conflict.base, columns)}</td>
            <td />
          </tr>
          <SideRow conflict={conflict} side={mine} title="Mine" columns={columns} />
          <SideRow conflict={conflict} side={theirs} title="Theirs" columns={columns} />
        </tbody>
      </table>
      {another !== undefined ? (
        <form
          class="row"
          onSubmit={(event) => {
            event.preventDefault();
            act(() => conflict.resolve(field === "estimate" ? Number(another) : another || undefined))();
          }}
        >
          <input aria-label={`Another ${fieldName(field)}`} data-testid="another-value" value={another} onInput={({ currentTarget }) => setAnother(currentTarget.value)} />
          <button type="submit" data-testid="resolve">
            Use this
          </button>
        </form>
      ) : (
        <div class="row">
          <button type="button" data-testid="keep-mine" onClick={act(() => conflict.keepMine())}>
            {open ? "Keep mine" : "Restore mine"}
          </button>
          <button type="button" data-testid="keep-theirs" onClick={act(() => conflict.keepTheirs())}>
            Keep theirs
          </button>
          {(field === "title" || field === "assignee" || field === "columns") && (
            <button type="button" class="ghost" data-testid="write-another" onClick={() => setAnother(String(mine.value ?? ""))}>
              Another…
            </button>
          )}
        </div>
      )}
      {refusal && (
        <p class="refusal" role="alert">
          {refusal}
        </p>
      )}
    </li>
  );
}

function SideRow({ conflict, side, title, columns }: { conflict: Conflict; side: Version; title: string; columns: readonly Column[] }) {
  const what = conflict.field === "" ? (side.value === undefined ? "deleted it" : "edited it") : valueText(conflict.field, side.value, columns);
  return (
    <tr>
      <th scope="row">{title}</th>
      <td class="value">{side.long ? "a long text" : what}</td>
      <td class="by">
        <span>
          <Avatar user={side.user} /> {side.time > 0 && <time>{clockText(side.time)}</time>}
        </span>
      </td>
    </tr>
  );
}

/** The rules that settle conflicts, in a few words. */
function ruleText(policy: string): string {
  switch (policy) {
    case "lww":
      return "the later edit wins";
    case "list":
      return "the later edit of an element wins";
    case "update-wins":
      return "an edit wins over a deletion";
    case "delete-wins":
      return "a deletion wins over an edit";
    default:
      return policy;
  }
}
