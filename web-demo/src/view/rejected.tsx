import { useState } from "preact/hooks";
import type { Op, RejectedMutation } from "@tidegate/client";
import type { Column } from "../board.js";
import type { Device } from "../device.js";
import { estimates } from "../rules.js";
import { fieldName, fromInput, toInput, valueText } from "../words.js";
import { recordName } from "./inbox.js";
import { refusalText } from "./field.js";

/** A field that a rejected edit wanted to set. */
interface Wanted {
  readonly card: string;
  readonly field: string;
  readonly value: unknown;
}

/** An edit that the gateway rejected: why, and what its author may do. */
export function RejectedEdit({ device, rejected, columns }: { device: Device; rejected: RejectedMutation; columns: readonly Column[] }) {
  const [values, setValues] = useState<Record<string, string>>();
  const [refusal, setRefusal] = useState("");
  const wanted = rejected.ops.flatMap(wantedBy);
  const first = rejected.ops[0];
  const act = (action: () => unknown) => () => {
    try {
      action();
    } catch (error) {
      setRefusal(refusalText(error));
    }
  };
  const send = () =>
    rejected.edit((tx) => {
      for (const { card, field, value } of wanted) {
        const text = values?.[card + field];
        const next = text === undefined ? value : field === "estimate" ? Number(text) : isTime(field) ? fromInput(text) : text;
        tx.update("demo-cards", card, (draft: any) => {
          if (next === undefined || next === "") delete draft[field];
          else draft[field] = next;
        });
      }
    });
  return (
    <li class="notice is-rejected" data-testid="rejected" data-code={rejected.code}>
      <h4>Rejected: {first ? recordName(device, first.collection, first.id) : "an edit"}</h4>
      <p>{reasonText(rejected)}</p>
      {!values && wanted.length > 0 && (
        <ul class="wanted">
          {wanted.map(({ card, field, value }) => (
            <li key={card + field}>
              {fieldName(field)}: <strong>{valueText(field, value, columns)}</strong>
            </li>
          ))}
        </ul>
      )}
      {values && (
        <form
          id={`edit-${device.pane}-${rejected.id}`}
          class="wanted"
          onSubmit={(event) => {
            event.preventDefault();
            act(send)();
          }}
        >
          {wanted.map(({ card, field, value }) => (
            <label key={card + field}>
              <span>{fieldName(field)}</span>
              <FieldInput
                field={field}
                value={values[card + field] ?? (isTime(field) ? toInput(value as string) : String(value ?? ""))}
                change={(text) => setValues({ ...values, [card + field]: text })}
              />
            </label>
          ))}
          <button type="submit" data-testid="send-edited">
            Send
          </button>
        </form>
      )}
      <div class="row">
        {wanted.length > 0 && !values && (
          <button type="button" data-testid="edit" onClick={() => setValues({})}>
            Edit
          </button>
        )}
        <button type="button" data-testid="retry" onClick={act(() => rejected.retry())}>
          Try again
        </button>
        <button type="button" class="ghost danger" data-testid="discard" onClick={act(() => rejected.discard())}>
          Discard
        </button>
      </div>
      {refusal && (
        <p class="refusal" role="alert">
          {refusal}
        </p>
      )}
    </li>
  );
}

function FieldInput({ field, value, change }: { field: string; value: string; change: (text: string) => void }) {
  if (field === "estimate") {
    return (
      <select data-testid="edited-value" data-field={field} value={value} onChange={({ currentTarget }) => change(currentTarget.value)}>
        {estimates.map((points) => (
          <option key={points}>{points}</option>
        ))}
      </select>
    );
  }
  const onInput = ({ currentTarget }: { currentTarget: HTMLInputElement }) => change(currentTarget.value);
  if (isTime(field)) return <input type="datetime-local" data-testid="edited-value" data-field={field} value={value} onInput={onInput} />;
  return <input data-testid="edited-value" data-field={field} value={value} onInput={onInput} />;
}

function isTime(field: string): boolean {
  return field === "start" || field === "end";
}

/** The fields of cards that an op sets. */
function wantedBy(op: Op): Wanted[] {
  if (op.collection !== "demo-cards" || !("fields" in op)) return [];
  const order = ["title", "assignee", "start", "end"];
  return op.fields.map(({ field, value }) => ({ card: op.id, field, value })).sort((a, b) => order.indexOf(a.field) - order.indexOf(b.field));
}

/** The gateway's message is fit for users; one word of ours goes before it where the board knows more. */
function reasonText({ code, message, path }: RejectedMutation): string {
  if (code === "stale" && path === "estimate") return `Somebody else has set the estimate meanwhile, and nobody is to overwrite one unseen. ${message}.`;
  return message;
}
