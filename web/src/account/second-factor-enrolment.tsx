/** Sets up an authenticator app: password, QR code, a first code, recovery codes. */

import type { RestTypes } from "@chat/client";
import { useEffect, useState } from "preact/hooks";
import { Button } from "../components/button";
import { Copyable } from "../components/copyable";
import { Form } from "../components/form";
import { chat } from "../session/session";
import { t } from "../texts/texts";
import { CurrentPassword, SecondFactorCode } from "./fields";
import { RecoveryCodes } from "./recovery-codes";

type Rest = RestTypes["schemas"];

export function Enrolment({ reload }: { reload: () => Promise<void> }) {
  const [open, setOpen] = useState(false);
  const [enrolment, setEnrolment] = useState<Rest["Enrolment"] | null>(null);
  const [codes, setCodes] = useState<readonly string[] | null>(null);

  if (codes) return <RecoveryCodes codes={codes} done={() => void reload()} />;
  if (enrolment) {
    return (
      <>
        <p>{t("second.scan")}</p>
        <QrCode text={enrolment.uri} />
        <p class="muted">{t("second.type")}</p>
        <Copyable text={enrolment.secret} label={t("second.secret")} />
        <Form
          submit={t("second.confirm")}
          action={async ({ code = "" }) => {
            const found = await chat.request<Rest["RecoveryCodes"]>("POST", "/me/second-factor/confirm/", { body: { code: code.trim() } });
            setCodes(found.recovery_codes);
          }}
        >
          <SecondFactorCode hint={t("code.six_digits")} autoFocus />
        </Form>
      </>
    );
  }
  if (!open) {
    return (
      <div class="buttons">
        <Button icon="shield" onClick={() => setOpen(true)}>
          {t("second.begin")}
        </Button>
      </div>
    );
  }
  return (
    <Form
      submit={t("second.continue")}
      action={async ({ current_password }) => {
        setEnrolment(await chat.request<Rest["Enrolment"]>("POST", "/me/second-factor/", { body: { current_password } }));
      }}
    >
      <CurrentPassword autoFocus />
    </Form>
  );
}

/** Dark on white in both themes: many apps read only that. */
function QrCode({ text }: { text: string }) {
  const [drawn, setDrawn] = useState<{ size: number; path: string } | null>(null);
  useEffect(() => {
    let current = true;
    void import("./qr-code").then(({ drawQrCode }) => {
      if (current) setDrawn(drawQrCode(text));
    });
    return () => {
      current = false;
    };
  }, [text]);
  if (!drawn) return <div class="qr" />;
  const side = drawn.size + 8;
  return (
    <svg class="qr" viewBox={`-4 -4 ${side} ${side}`} role="img" aria-label={t("second.qr")} shape-rendering="crispEdges">
      <rect x="-4" y="-4" width={side} height={side} fill="#fff" />
      <path d={drawn.path} fill="#000" />
    </svg>
  );
}
