/** Forms that request a mail. Their answer is the same for unknown addresses, so that no one learns who has an account. */

import { useState } from "preact/hooks";
import { Field } from "../components/field";
import { Form } from "../components/form";
import { Notice } from "../components/notice";
import { chat } from "../session/session";
import { t } from "../texts/texts";
import { GuestPage } from "./guest-page";
import { LogInLink } from "./guest-links";

type MailRequestProps = { title: string; intro: string; path: string; done: string };

function MailRequest({ title, intro, path, done }: MailRequestProps) {
  const [sent, setSent] = useState(false);
  return (
    <GuestPage title={title} intro={intro} below={<LogInLink />}>
      <Form
        label={title}
        submit={t("mail_request.submit")}
        wide
        action={async ({ email = "" }) => {
          setSent(false);
          await chat.request("POST", path, { body: { email } });
          setSent(true);
        }}
      >
        <Field name="email" label={t("email")} type="email" autoComplete="email" required maxLength={254} autoFocus />
      </Form>
      <div role="status">{sent && <Notice kind="success">{done}</Notice>}</div>
    </GuestPage>
  );
}

export function Forgotten() {
  return <MailRequest title={t("forgot.title")} intro={t("forgot.intro")} path="/forgot-password/" done={t("forgot.done")} />;
}

export function Resend() {
  return <MailRequest title={t("resend.title")} intro={t("resend.intro")} path="/resend-activation/" done={t("resend.done")} />;
}
