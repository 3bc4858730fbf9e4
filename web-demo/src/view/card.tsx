import { Component } from "preact";
import { useState } from "preact/hooks";
import { announce } from "../announce.js";
import { deleteCard } from "../board.js";
import type { Device } from "../device.js";
import type { CardRow } from "../rules.js";
import { spanText } from "../words.js";
import { Assignee } from "./assignee.js";
import { Details } from "./details.js";
import { TextField } from "./field.js";
import { Icon } from "./icons.js";

export interface CardProps {
  readonly device: Device;
  readonly card: CardRow;
  /** The id of the list of known names. */
  readonly people: string;
  /** Whether it was just made here, and wants a title. */
  readonly fresh: boolean;
  readonly openInbox: () => void;
  readonly openHistory: (card: CardRow) => void;
  readonly move: (card: CardRow, event: KeyboardEvent) => void;
}

const stateWords = {
  local: "Stored on this device, not sent yet",
  sent: "Sent, not confirmed yet",
  durable: "Stored by the gateway",
};

/** A card. It is drawn again only when its row is another. */
export class Card extends Component<CardProps> {
  override shouldComponentUpdate(next: CardProps): boolean {
    return next.card !== this.props.card || next.fresh !== this.props.fresh;
  }
  override render(props: CardProps) {
    return <CardBody {...props} />;
  }
}

function CardBody({ device, card, people, fresh, openInbox, openHistory, move }: CardProps) {
  const [open, setOpen] = useState(false);
  const { space } = device;
  const cards = space.collection("demo-cards");
  const span = spanText(card.start, card.end);
  const labels = card.labels ?? [];
  return (
    <li class="card" data-testid="card" data-card={card.id} data-anchor={card.id} aria-label={card.title}>
      <div class="card-head">
        <button
          type="button"
          class="handle"
          data-handle={card.id}
          aria-label={`Move ${card.title}`}
          aria-describedby="move-help"
          aria-keyshortcuts="ArrowUp ArrowDown ArrowLeft ArrowRight"
          onKeyDown={(event) => move(card, event)}
        >
          <Icon name="grip" />
        </button>
        <TextField
          value={card.title}
          label="Title"
          testid="card-title"
          focus={fresh}
          save={(text) => cards.update(card.id, (draft) => void (draft.title = text))}
        />
        <button type="button" class="ghost more" aria-expanded={open} aria-label={`Details of ${card.title}`} data-testid="card-details" onClick={() => setOpen(!open)}>
          <Icon name="more" />
        </button>
      </div>
      {(labels.length > 0 || span || card.estimate !== undefined || card._conflict) && (
        <ul class="chips" aria-label="Labels and times">
          {card._conflict && (
            <li>
              <button type="button" class="collided" data-testid="card-conflict" onClick={openInbox}>
                <Icon name="alert" /> collided
              </button>
            </li>
          )}
          {labels.map((label) => (
            <li key={label} class={`chip label-${label}`}>
              {label}
            </li>
          ))}
          {card.estimate !== undefined && (
            <li class="chip plain" title="Estimate">
              {card.estimate} pt
            </li>
          )}
          {span && (
            <li class="chip plain">
              <Icon name="clock" />
              {span}
            </li>
          )}
        </ul>
      )}
      <div class="card-foot">
        <button
          type="button"
          class="vote"
          data-testid="card-vote"
          aria-label={`Vote for ${card.title}`}
          onClick={() => cards.update(card.id, (draft) => draft.votes.add(1))}
        >
          <Icon name="up" />
        </button>
        <span class="votes" data-testid="card-votes" aria-label={`${card.votes ?? 0} votes`}>
          {card.votes ?? 0}
        </span>
        <Assignee space={space} card={card} people={people} />
        <span class={`state is-${card._state}`} data-testid="card-state" data-state={card._state} title={stateWords[card._state]}>
          {card._state}
        </span>
      </div>
      {open && (
        <Details
          device={device}
          card={card}
          openHistory={() => openHistory(card)}
          remove={() => {
            deleteCard(space, card.id);
            announce(`Deleted ${card.title}. Undo brings it back.`);
          }}
        />
      )}
    </li>
  );
}
