/** The password, and the second factor. */

import type { RestTypes } from "@chat/client";
import { useState } from "preact/hooks";
import { Form } from "../components/form";
import { Loaded, useLoaded } from "../components/loaded";
import { toast } from "../components/toasts";
import { chat } from "../session/session";
import { t } from "../texts/texts";
import { CurrentPassword, NewPassword } from "./fields";
import { Part } from "./part";
import { Enabled } from "./second-factor";
import { Enrolment } from "./second-factor-enrolment";

export type State = RestTypes["schemas"]["State"];

export function Security() {
  return (
    <>
      <ChangePassword />
      <SecondFactor />
    </>
  );
}

function ChangePassword() {
  const [changes, setChanges] = useState(0);
  return (
    <Part title={t("password.change")} intro={t("password.change.intro")}>
      <Form
        key={changes}
        submit={t("password.change.submit")}
        action={async ({ current_password, new_password }) => {
          await chat.request("POST", "/reset-password/", { body: { current_password, new_password } });
          toast(t("password.change.done"));
          setChanges(changes + 1);
        }}
      >
        <CurrentPassword />
        <NewPassword name="new_password" label={t("password.new")} />
      </Form>
    </Part>
  );
}

function SecondFactor() {
  const state = useLoaded(() => chat.request<State>("GET", "/me/second-factor/"));
  return (
    <Part title={t("second.title")} intro={t("second.intro")}>
      <Loaded of={state}>{(found) => (found.enabled ? <Enabled left={found.recovery_codes_left} reload={state.reload} /> : <Enrolment reload={state.reload} />)}</Loaded>
    </Part>
  );
}
