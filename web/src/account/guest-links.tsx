/** Links between the pages without a login. */

import { useLoaded } from "../components/loaded";
import { href } from "../router";
import { registrationMode } from "../session/registration";
import { t } from "../texts/texts";

/** Leads to the registration, where it is open. */
export function RegisterLink() {
  const { value, problem } = useLoaded(registrationMode);
  if (value !== "open" && !problem) return null;
  return (
    <p>
      {t("register.question")} <a href={href("register")}>{t("register.link")}</a>
    </p>
  );
}

export function LogInLink() {
  return (
    <p>
      {t("log_in.question")} <a href={href("login")}>{t("log_in.link")}</a>
    </p>
  );
}
