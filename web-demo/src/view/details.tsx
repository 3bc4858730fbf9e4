import { useState } from "preact/hooks";
import type { Device } from "../device.js";
import { estimates, labels } from "../rules.js";
import type { CardRow } from "../rules.js";
import { fromInput, toInput } from "../words.js";
import { refusalText } from "./field.js";
import { Icon } from "./icons.js";

interface DetailsProps {
  readonly device: Device;
  readonly card: CardRow;
  readonly openHistory: () => void;
  readonly remove: () => void;
}

/** What of a card is not on its face. */
export function Details({ device, card, openHistory, remove }: DetailsProps) {
  const [refusal, setRefusal] = useState("");
  const cards = device.space.collection("demo-cards");
  /** Makes an edit, and says why if the device refuses it. */
  const edit = (change: Parameters<typeof cards.update>[1]) => {
    try {
      cards.update(card.id, change);
      setRefusal("");
    } catch (error) {
      setRefusal(refusalText(error));
    }
  };
  const time = (field: "start" | "end", label: string) => (
    <label>
      <span>{label}</span>
      <input
        type="datetime-local"
        data-testid={`card-${field}`}
        value={toInput(card[field])}
        onChange={({ currentTarget }) =>
          edit((draft) => {
            const value = fromInput(currentTarget.value);
            if (value) draft[field] = value;
            else delete draft[field];
          })
        }
      />
    </label>
  );
  return (
    <div class="details">
      <div class="label-choice" role="group" aria-label="Labels">
        {labels.map((label) => {
          const on = card.labels?.includes(label) ?? false;
          return (
            <button
              key={label}
              type="button"
              class={`chip label-${label} ${on ? "" : "is-off"}`}
              data-testid="card-label"
              aria-pressed={on}
              onClick={() => edit((draft) => (on ? draft.labels.remove(label) : draft.labels.add(label)))}
            >
              {label}
            </button>
          );
        })}
      </div>
      {time("start", "Start")}
      {time("end", "End")}
      <label>
        <span>Estimate</span>
        <select
          data-testid="card-estimate"
          value={card.estimate ?? ""}
          onChange={({ currentTarget }) =>
            edit((draft) => {
              if (currentTarget.value) draft.estimate = Number(currentTarget.value);
              else delete draft.estimate;
            })
          }
        >
          <option value="">none</option>
          {estimates.map((points) => (
            <option key={points} value={points}>
              {points}
            </option>
          ))}
        </select>
      </label>
      {refusal && (
        <p class="refusal" role="alert">
          {refusal}
        </p>
      )}
      <div class="row">
        <button type="button" class="ghost" data-testid="card-history" onClick={openHistory}>
          <Icon name="history" /> History
        </button>
        <button type="button" class="ghost danger" data-testid="card-delete" onClick={remove}>
          <Icon name="trash" /> Delete
        </button>
      </div>
    </div>
  );
}
