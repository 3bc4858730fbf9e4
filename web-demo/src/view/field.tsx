import type { Write } from "@tidegate/client";
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { typing } from "../typing.js";

/** What a refused edit says to its user. */
export function refusalText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

interface TextFieldProps {
  readonly value: string;
  readonly label: string;
  readonly testid?: string;
  readonly focus?: boolean;
  readonly save: (text: string) => Write;
}

/**
 * A text that is stored while it is typed. What others type shows as well, unless
 * this user's own text waits to be stored or was refused.
 */
export function TextField({ value, label, testid, focus, save }: TextFieldProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  const latest = useRef(save);
  latest.current = save;
  const [typist] = useState(() => typing((text) => latest.current(text)));
  const [refusal, setRefusal] = useState("");
  const problem = useId();

  const show = (text: string) => {
    const element = area.current;
    if (!element) return;
    if (element.value !== text) {
      const { selectionStart, selectionEnd } = element;
      element.value = text;
      if (document.activeElement === element) element.setSelectionRange(selectionStart, selectionEnd);
    }
    // What a reader of the document's text finds.
    element.defaultValue = text;
    fit(element);
  };
  // Both before the browser does anything else: what is typed next belongs here.
  useLayoutEffect(() => {
    if (!typist.waiting && !refusal) show(value);
  }, [value, refusal]);
  useLayoutEffect(() => {
    if (!focus) return;
    area.current?.focus();
    area.current?.select();
  }, []);

  return (
    <div class="text-field">
      <textarea
        ref={area}
        rows={1}
        spellcheck={false}
        enterkeyhint="done"
        aria-label={label}
        aria-invalid={refusal !== ""}
        aria-describedby={refusal ? problem : undefined}
        data-testid={testid}
        onInput={({ currentTarget }) => {
          fit(currentTarget);
          try {
            typist.type(currentTarget.value.replace(/\s*\n\s*/g, " "));
            setRefusal("");
          } catch (error) {
            setRefusal(refusalText(error));
          }
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter" && event.key !== "Escape") return;
          event.preventDefault();
          event.currentTarget.blur();
        }}
        onBlur={() => {
          setRefusal("");
          show(value);
        }}
      />
      {refusal && (
        <p class="refusal" id={problem} role="alert">
          {refusal}
        </p>
      )}
    </div>
  );
}

/** Makes a text area as high as its text, where the style cannot. */
function fit(area: HTMLTextAreaElement): void {
  if (CSS.supports("field-sizing", "content")) return;
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight}px`;
}
