/** Names, e-mail address, who may add the user to conversations, and closing the account. */

import type { User } from "@chat/client";
import { useState } from "preact/hooks";
import { Button } from "../components/button";
import { Choice } from "../components/choice";
import { Confirm } from "../components/dialog";
import { Field } from "../components/field";
import { Form } from "../components/form";
import { Notice } from "../components/notice";
import { attempt, toast } from "../components/toasts";
import { chat, logOut, user } from "../session/session";
import { t } from "../texts/texts";
import { Part } from "./part";
import { CurrentPassword, NameFields } from "./fields";

export function Profile() {
  const own = user.value;
  return own && (
    <>
      <Names own={own} />
      <Audience own={own} />
      <Email own={own} />
      <Closing />
    </>
  );
}

function Names({ own }: { own: User }) {
  return (
    <Part title={t("profile.names")} intro={t("profile.names.intro")}>
      <Form
        submit={t("save")}
        action={async ({ first_name, last_name }) => {
          user.value = await chat.request<User>("PATCH", "/me/", { body: { first_name, last_name } });
          toast(t("saved"));
        }}
      >
        <NameFields first_name={own.first_name} last_name={own.last_name} />
      </Form>
    </Part>
  );
}

function Audience({ own }: { own: User }) {
  const options = [
    { value: "everybody" as const, label: t("profile.audience.everybody") },
    { value: "contacts" as const, label: t("profile.audience.contacts") },
    { value: "nobody" as const, label: t("profile.audience.nobody") },
  ];
  const change = (who_may_add: User["who_may_add"]) =>
    attempt(async () => {
      user.value = await chat.request<User>("PATCH", "/me/", { body: { who_may_add } });
      toast(t("saved"));
    });
  return (
    <Part title={t("profile.audience")} intro={t("profile.audience.intro")}>
      <Choice legend={t("profile.audience.legend")} name="who_may_add" value={own.who_may_add} options={options} onChange={change} />
    </Part>
  );
}

function Email({ own }: { own: User }) {
  const [requested, setRequested] = useState<string | null>(null);
  return (
    <Part title={t("profile.email")} intro={t("profile.email.intro", { email: own.email })}>
      <Form
        submit={t("profile.email.submit")}
        look="secondary"
        action={async ({ new_email = "", current_password }) => {
          await chat.request("POST", "/me/email/", { body: { new_email, current_password } });
          setRequested(new_email);
        }}
      >
        <Field name="new_email" label={t("profile.email.new")} type="email" autoComplete="email" required maxLength={254} />
        <CurrentPassword />
      </Form>
      <div role="status">{requested && <Notice kind="success">{t("profile.email.done", { email: requested })}</Notice>}</div>
    </Part>
  );
}

function Closing() {
  const [asked, ask] = useState(false);
  return (
    <Part title={t("profile.close")} intro={t("profile.close.intro")}>
      <div class="buttons">
        <Button onClick={() => ask(true)}>{t("profile.close.open")}</Button>
      </div>
      {asked && (
        <Confirm
          title={t("profile.close.title")}
          confirm={t("profile.close.submit")}
          onClose={() => ask(false)}
          action={async ({ current_password }) => {
            await chat.request("DELETE", "/me/", { body: { current_password } });
            toast(t("profile.close.done"));
            await logOut().catch(() => undefined);
          }}
        >
          <p>{t("profile.close.text")}</p>
          <CurrentPassword />
        </Confirm>
      )}
    </Part>
  );
}
