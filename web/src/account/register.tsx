/** Registration, also by an invite. Where accounts are activated by mail, the page then says to look for it. */

import { useState } from "preact/hooks";
import { Field } from "../components/field";
import { Form, type Values } from "../components/form";
import { Loaded, useLoaded } from "../components/loaded";
import { Notice } from "../components/notice";
import { href, replace } from "../router";
import { offerOf, register, registrationMode, type Offer } from "../session/registration";
import { logIn } from "../session/session";
import { dateAndTime } from "../texts/dates";
import { t } from "../texts/texts";
import { NameFields, NewPassword } from "./fields";
import { GuestPage } from "./guest-page";
import { LogInLink } from "./guest-links";

export function Register() {
  const mode = useLoaded(registrationMode);
  return (
    <GuestPage title={t("register.title")} below={<LogInLink />}>
      <Loaded of={mode}>
        {(found) => (found === "open" ? <Registration /> : <Notice>{t(found === "invite" ? "register.invite_only" : "register.closed")}</Notice>)}
      </Loaded>
    </GuestPage>
  );
}

/** The page of an invite's link. The token is in the fragment, which no server receives. */
export function Invited({ token }: { token: string }) {
  const offer = useLoaded(async () => ({ found: await offerOf(token) }), [token]);
  return (
    <GuestPage title={t("invite.title")} below={<LogInLink />}>
      <Loaded of={offer}>
        {({ found }) => (found ? <Accepting offer={found} token={token} /> : <Notice kind="warning">{t("invite.invalid")}</Notice>)}
      </Loaded>
    </GuestPage>
  );
}

function Accepting({ offer, token }: { offer: Offer; token: string }) {
  return (
    <>
      {offer.note && <blockquote class="note">{offer.note}</blockquote>}
      <p class="muted">{t("invite.valid_until", { time: dateAndTime(offer.valid_until) })}</p>
      <Registration invite={token} />
    </>
  );
}

function Registration({ invite }: { invite?: string }) {
  const [mailed, setMailed] = useState<string | null>(null);

  const send = async ({ email = "", password = "", first_name = "", last_name = "" }: Values) => {
    const account = { email, password, first_name, last_name, ...(invite ? { invite } : {}) };
    if (!(await register(account))) return setMailed(email);
    await logIn({ email, password });
    replace();
  };

  if (mailed !== null) {
    return (
      <div role="status">
        <Notice kind="success">{t("register.mailed", { email: mailed })}</Notice>
        <p>
          <a href={href("resend")}>{t("log_in.resend")}</a>
        </p>
      </div>
    );
  }
  return (
    <Form action={send} submit={t("register.submit")} wide label={t("register.title")}>
      <NameFields autoFocus />
      <Field name="email" label={t("email")} type="email" autoComplete="email" required maxLength={254} />
      <NewPassword name="password" label={t("password")} />
    </Form>
  );
}
