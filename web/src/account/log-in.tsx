/** The login: e-mail and password, and a code where the account or the circumstances require one. */

import type { Credentials } from "@chat/client";
import { useState } from "preact/hooks";
import { Button } from "../components/button";
import { Field } from "../components/field";
import { Form, type Values } from "../components/form";
import { Notice } from "../components/notice";
import { href } from "../router";
import { codeOf, Explained, policyOf } from "../session/problems";
import { ended, logIn } from "../session/session";
import { t } from "../texts/texts";
import { SecondFactorCode } from "./fields";
import { GuestPage } from "./guest-page";
import { RegisterLink } from "./guest-links";

/** `second_factor`: a code from the authenticator app. `mailed_code`: too many wrong passwords were tried before. */
type Step = "password" | "second_factor" | "mailed_code";

export function LogIn() {
  const [step, setStep] = useState<Step>("password");
  const [proof, setProof] = useState<Credentials | null>(null);
  const [unactivated, setUnactivated] = useState(false);

  const begin = async ({ email = "", password = "" }: Values) => {
    setUnactivated(false);
    await attempt({ email, password });
  };

  const attempt = async (credentials: Credentials) => {
    try {
      await logIn(credentials);
    } catch (problem) {
      const next = nextStep(problem);
      // The answer to a wrong mailed code is the same as to a wrong password.
      if (next === "mailed_code" && credentials.mailed_code) throw new Explained(t("log_in.mailed.wrong"), "code");
      if (!next) {
        setUnactivated(codeOf(problem) === "not_activated");
        throw problem;
      }
      setProof(credentials);
      setStep(next);
    }
  };

  if (step === "password" || !proof) {
    return (
      <GuestPage title={t("log_in.title")} below={<RegisterLink />}>
        {ended.value && <Notice kind="warning">{t("log_in.ended")}</Notice>}
        <Form action={begin} submit={t("log_in.submit")} wide label={t("log_in.title")}>
          <Field name="email" label={t("email")} type="email" autoComplete="username" required maxLength={254} autoFocus />
          <Field name="password" label={t("password")} type="password" autoComplete="current-password" required maxLength={1000} />
        </Form>
        <p>
          <a href={href("forgot")}>{t("log_in.forgot")}</a>
        </p>
        {unactivated && (
          <p>
            <a href={href("resend")}>{t("log_in.resend")}</a>
          </p>
        )}
      </GuestPage>
    );
  }

  const again = (
    <Button
      look="quiet"
      onClick={() => {
        setProof(null);
        setStep("password");
      }}
    >
      {t("log_in.restart")}
    </Button>
  );
  if (step === "mailed_code") {
    return (
      <GuestPage key={step} title={t("log_in.mailed.title")} intro={t("log_in.mailed.intro", { email: proof.email })}>
        <Form action={({ code = "" }) => attempt({ ...proof, mailed_code: code.trim() })} submit={t("log_in.submit")} beside={again}>
          <Field name="code" label={t("log_in.mailed.code")} autoComplete="one-time-code" required maxLength={64} code autoFocus />
        </Form>
      </GuestPage>
    );
  }
  return (
    <GuestPage key={step} title={t("log_in.second.title")} intro={t("log_in.second.intro")}>
      <Form action={({ code = "" }) => attempt({ ...proof, code: code.trim() })} submit={t("log_in.submit")} beside={again}>
        <SecondFactorCode hint={t("code.or_recovery")} autoFocus />
      </Form>
    </GuestPage>
  );
}

function nextStep(problem: unknown): Step | null {
  if (codeOf(problem) === "second_factor_required") return "second_factor";
  return policyOf(problem).startsWith("guesses") ? "mailed_code" : null;
}
