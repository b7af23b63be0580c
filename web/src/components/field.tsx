import type { InputHTMLAttributes, Ref, TextareaHTMLAttributes } from "preact";
import { useEffect, useId, useState } from "preact/hooks";
import { t } from "../texts/texts";
import { IconButton } from "./button";
import { useFieldError } from "./form";
import { Icon } from "./icon";

type Named = { name: string; label: string; hint?: string | undefined; error?: string | undefined; code?: boolean };
export type FieldProps = Named &
  Omit<InputHTMLAttributes<HTMLInputElement>, "name" | "label" | "class" | "id" | "ref" | "role" | "type"> & {
    type?: "text" | "email" | "password" | "search" | "url" | "number" | "datetime-local";
    ref?: Ref<HTMLInputElement>;
  };

/** A labelled input. Inside a Form it shows the error that the API reports for its `name`. */
export function Field({ name, label, hint, error, code, type = "text", ...rest }: FieldProps) {
  const { id, wrong, describedBy } = useDescribed(name, hint, error);
  useEffect(() => {
    // Browsers obey the attribute once a page only.
    if (rest.autoFocus) document.getElementById(id)?.focus();
  }, []);
  const [shown, show] = useState(false);
  const secret = type === "password";
  const input = (
    <input
      {...rest}
      id={id}
      name={name}
      type={(secret && shown ? "text" : type) as "text"}
      class={code ? "input code" : "input"}
      aria-invalid={wrong ? true : undefined}
      aria-describedby={describedBy}
    />
  );
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {secret ? (
        <div class="with-button">
          {input}
          <IconButton
            icon={shown ? "eye_off" : "eye"}
            label={shown ? t("field.hide_password") : t("field.show_password")}
            onClick={() => show(!shown)}
          />
        </div>
      ) : (
        input
      )}
      <Below id={id} hint={hint} wrong={wrong} />
    </div>
  );
}

export type AreaProps = Named &
  Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, "name" | "label" | "class" | "id" | "ref"> & { ref?: Ref<HTMLTextAreaElement> };

export function Area({ name, label, hint, error, code: _, ...rest }: AreaProps) {
  const { id, wrong, describedBy } = useDescribed(name, hint, error);
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <textarea {...rest} id={id} name={name} class="input" aria-invalid={wrong ? true : undefined} aria-describedby={describedBy} />
      <Below id={id} hint={hint} wrong={wrong} />
    </div>
  );
}

function useDescribed(name: string, hint: string | undefined, error: string | undefined) {
  const id = useId();
  const wrong = useFieldError(name) ?? error;
  const describedBy = [hint && `${id}-hint`, wrong && `${id}-wrong`].filter(Boolean).join(" ") || undefined;
  return { id, wrong, describedBy };
}

function Below({ id, hint, wrong }: { id: string; hint: string | undefined; wrong: string | undefined }) {
  return (
    <>
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {wrong && (
        <p class="wrong" id={`${id}-wrong`}>
          <Icon name="alert" size={16} />
          {wrong}
        </p>
      )}
    </>
  );
}
