/** A second factor that is on: its recovery codes can be replaced, and it can be turned off. */

import type { RestTypes } from "@chat/client";
import { useState } from "preact/hooks";
import { Button } from "../components/button";
import { Confirm } from "../components/dialog";
import { Notice } from "../components/notice";
import { toast } from "../components/toasts";
import { chat } from "../session/session";
import { t } from "../texts/texts";
import { CurrentPassword, SecondFactorCode } from "./fields";
import { RecoveryCodes } from "./recovery-codes";

type Enrolled = { left: number; reload: () => Promise<void> };

export function Enabled({ left, reload }: Enrolled) {
  const [asked, ask] = useState<"renew" | "off" | null>(null);
  const [codes, setCodes] = useState<readonly string[] | null>(null);

  if (codes) {
    return (
      <RecoveryCodes
        codes={codes}
        done={() => {
          setCodes(null);
          void reload();
        }}
      />
    );
  }
  return (
    <>
      <Notice kind={left > 2 ? "success" : "warning"}>{t("second.on", { count: left })}</Notice>
      <div class="buttons">
        <Button onClick={() => ask("renew")}>{t("second.renew")}</Button>
        <Button onClick={() => ask("off")}>{t("second.off")}</Button>
      </div>
      {asked === "renew" && (
        <Confirm
          title={t("second.renew")}
          confirm={t("second.renew.submit")}
          danger={false}
          onClose={() => ask(null)}
          action={async ({ current_password, code = "" }) => {
            const body = { current_password, code: code.trim() };
            const renewed = await chat.request<RestTypes["schemas"]["RecoveryCodes"]>("POST", "/me/second-factor/recovery-codes/", { body });
            setCodes(renewed.recovery_codes);
          }}
        >
          <p>{t("second.renew.text")}</p>
          <Proof />
        </Confirm>
      )}
      {asked === "off" && (
        <Confirm
          title={t("second.off")}
          confirm={t("second.off.submit")}
          onClose={() => ask(null)}
          action={async ({ current_password, code = "" }) => {
            await chat.request("DELETE", "/me/second-factor/", { body: { current_password, code: code.trim() } });
            toast(t("second.off.done"));
            await reload();
          }}
        >
          <p>{t("second.off.text")}</p>
          <Proof />
        </Confirm>
      )}
    </>
  );
}

function Proof() {
  return (
    <>
      <CurrentPassword />
      <SecondFactorCode hint={t("code.or_recovery")} />
    </>
  );
}
