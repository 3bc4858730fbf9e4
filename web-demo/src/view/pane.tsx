import { useRef, useState } from "preact/hooks";
import { announce } from "../announce.js";
import { addCard, columnsOf } from "../board.js";
import type { Device } from "../device.js";
import { maxLatency } from "../line.js";
import type { CardRow } from "../rules.js";
import { Avatar } from "./avatar.js";
import { Board } from "./board.js";
import { Icon } from "./icons.js";
import { Inbox } from "./inbox.js";
import { StatusLine } from "./status.js";
import { Trouble } from "./trouble.js";
import { useWatch } from "./watch.js";

/** One device: its status, its line, its inbox and its board. */
export function Pane({ device, openHistory }: { device: Device; openHistory: (card: CardRow) => void }) {
  const { space, line, pane, user } = device;
  const open = useWatch(device.inboxOpen);
  const [fresh, setFresh] = useState("");
  const inboxButton = useRef<HTMLButtonElement>(null);
  const conflicts = useWatch(space.conflicts);
  const rejected = useWatch(space.rejected);
  const offline = useWatch(line.offline);
  const waiting = conflicts.length + rejected.length;

  const close = () => {
    device.inboxOpen.set(false);
    inboxButton.current?.focus();
  };
  const take = (back: boolean) => {
    if (!(back ? space.undo() : space.redo())) announce(back ? "Nothing to undo" : "Nothing to redo");
  };
  return (
    <section
      class={`pane ${offline ? "is-offline" : ""}`}
      data-testid={`pane-${pane}`}
      aria-label={`The device of ${user}`}
      onKeyDown={(event) => {
        if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || isText(event.target)) return;
        event.preventDefault();
        take(!event.shiftKey);
      }}
    >
      <header class="pane-head">
        <div class="row">
          <Avatar user={user} />
          <h2>{user}</h2>
          <StatusLine device={device} />
          <People device={device} />
        </div>
        <div class="row tools">
          <button type="button" class="primary" data-testid="add-card" onClick={() => setFresh(addCard(space, columnsOf(space)[0]?.id ?? "0", { title: "New card" }))}>
            <Icon name="plus" /> Card
          </button>
          <button type="button" class="ghost" data-testid="undo" aria-label="Undo" title="Undo (Ctrl+Z)" onClick={() => take(true)}>
            <Icon name="undo" />
          </button>
          <button type="button" class="ghost" data-testid="redo" aria-label="Redo" title="Redo (Ctrl+Shift+Z)" onClick={() => take(false)}>
            <Icon name="redo" />
          </button>
          <LineControls device={device} />
          <button
            ref={inboxButton}
            type="button"
            class={`inbox-button ${waiting > 0 ? "has-news" : ""}`}
            data-testid="inbox-open"
            aria-expanded={open}
            aria-label={`Inbox, ${waiting} waiting`}
            onClick={() => device.inboxOpen.set(!open)}
          >
            <Icon name="inbox" />
            <span class="wide-only">Inbox</span>
            {waiting > 0 && <span class="badge">{waiting}</span>}
          </button>
        </div>
      </header>
      <Trouble device={device} />
      <div class="pane-body">
        <Board device={device} fresh={fresh} setFresh={setFresh} openInbox={() => device.inboxOpen.set(true)} openHistory={openHistory} />
        {open && <Inbox device={device} close={close} />}
      </div>
    </section>
  );
}

/** The switch that cuts the device's line, and the slider that slows it down. */
function LineControls({ device }: { device: Device }) {
  const { line, user } = device;
  const offline = useWatch(line.offline);
  const latency = useWatch(line.latency);
  return (
    <div class="line">
      <button
        type="button"
        role="switch"
        class="switch"
        data-testid="offline-toggle"
        aria-checked={offline}
        onClick={() => {
          line.offline.set(!offline);
          announce(`${user} is ${offline ? "online" : "offline"}`);
        }}
      >
        <span class="track" aria-hidden="true" />
        Offline
      </button>
      <label class="latency">
        <span class="sr-only">Latency</span>
        <input
          type="range"
          data-testid="latency"
          min={0}
          max={maxLatency}
          step={50}
          value={latency}
          aria-valuetext={`${latency} milliseconds`}
          onInput={({ currentTarget }) => line.latency.set(Number(currentTarget.value))}
        />
        <output>+{latency} ms</output>
      </label>
    </div>
  );
}

/** Who else is here. */
function People({ device }: { device: Device }) {
  const people = useWatch(device.space.presence);
  const users = [...new Set(people.map((person) => person.user))].sort();
  return (
    <ul class="people" data-testid="people" aria-label="Also here">
      {users.map((user) => (
        <li key={user}>
          <Avatar user={user} title={`${user} is here`} />
        </li>
      ))}
    </ul>
  );
}

function isText(target: EventTarget | null): boolean {
  return target instanceof HTMLTextAreaElement || (target instanceof HTMLInputElement && target.type !== "range");
}
