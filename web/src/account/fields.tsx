/** Fields that several forms of an account have. */

import { Field } from "../components/field";
import { t } from "../texts/texts";

type Names = { first_name?: string; last_name?: string; autoFocus?: boolean };

export function NameFields({ first_name, last_name, autoFocus = false }: Names) {
  return (
    <div class="pair">
      <Field name="first_name" label={t("first_name")} autoComplete="given-name" required maxLength={100} value={first_name} autoFocus={autoFocus} />
      <Field name="last_name" label={t("last_name")} autoComplete="family-name" required maxLength={100} value={last_name} />
    </div>
  );
}

export function NewPassword({ name, label }: { name: string; label: string }) {
  return <Field name={name} label={label} hint={t("password.hint")} type="password" autoComplete="new-password" required minLength={8} maxLength={512} />;
}

export function CurrentPassword({ autoFocus = false }: { autoFocus?: boolean }) {
  return <Field name="current_password" label={t("password.current")} type="password" autoComplete="current-password" required maxLength={1000} autoFocus={autoFocus} />;
}

/** A code from the authenticator app, or a recovery code. */
export function SecondFactorCode({ hint, autoFocus = false }: { hint: string; autoFocus?: boolean }) {
  return <Field name="code" label={t("code")} hint={hint} autoComplete="one-time-code" required maxLength={64} code autoFocus={autoFocus} />;
}
