/** A form whose action may be refused: sentences of the refusal stand beside the fields that they concern. */

import { createContext, type ComponentChildren } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";
import { explain, type Explanation } from "../session/problems";
import { Button } from "./button";
import { Notice } from "./notice";

export type Values = Record<string, string>;

type FormProps = {
  /** Receives the fields by name. What it throws is shown. */
  action: (values: Values) => Promise<void> | void;
  submit: string;
  look?: "primary" | "secondary" | "danger";
  wide?: boolean;
  children?: ComponentChildren;
  /** Buttons beside the submit button. */
  beside?: ComponentChildren;
  label?: string;
};

const FieldErrors = createContext<Readonly<Record<string, string>>>({});

export function Form({ action, submit, look = "primary", wide, children, beside, label }: FormProps) {
  const form = useRef<HTMLFormElement>(null);
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<Explanation | null>(null);

  useEffect(() => {
    if (wrong) form.current?.querySelector<HTMLElement>("[aria-invalid='true']")?.focus();
  }, [wrong]);

  const send = async (event: Event) => {
    event.preventDefault();
    if (busy || !form.current) return;
    const values = Object.fromEntries([...new FormData(form.current)].map(([name, value]) => [name, String(value)]));
    setBusy(true);
    try {
      await action(values);
      setWrong(null);
    } catch (problem) {
      setWrong(placed(explain(problem), form.current));
    } finally {
      setBusy(false);
    }
  };

  return (
    <FieldErrors.Provider value={wrong?.fields ?? {}}>
      <form class="form" ref={form} onSubmit={send} aria-label={label}>
        {children}
        <div role="alert">{wrong?.text && <Notice kind="danger">{wrong.text}</Notice>}</div>
        <div class="buttons">
          <Button type="submit" look={look} wide={wide ?? false} busy={busy}>
            {submit}
          </Button>
          {beside}
        </div>
      </form>
    </FieldErrors.Provider>
  );
}

/** The error of the field `name`, if the last attempt had one. */
export function useFieldError(name: string): string | undefined {
  return useContext(FieldErrors)[name];
}

/** A sentence whose fields this form does not have is shown below the form. */
function placed(found: Explanation, form: HTMLFormElement | null): Explanation {
  const here = Object.entries(found.fields).filter(([name]) => form?.elements.namedItem(name));
  const elsewhere = Object.entries(found.fields).filter(([name]) => !form?.elements.namedItem(name));
  const text = elsewhere.length || !here.length ? found.text || elsewhere.map(([name, message]) => `${name}: ${message}`).join(" ") : "";
  return { text, fields: Object.fromEntries(here) };
}
