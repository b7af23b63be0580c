/** What went wrong, in the user's language: one sentence, and one for each field at fault. */

import { LoginEnded, OutboxFull, Refused, Throttled } from "@chat/client";
import { has, t } from "../texts/texts";

export type Explanation = { text: string; fields: Record<string, string> };

/** An error of the page itself: a sentence for the field, or for the form if it has none. */
export class Explained extends Error {
  constructor(
    text: string,
    readonly field = "",
  ) {
    super(text);
  }
}

/** The field that a code concerns, where the API names none. */
const FIELDS: Readonly<Record<string, string>> = { email_taken: "email", invalid_code: "code" };

export function explain(problem: unknown): Explanation {
  if (problem instanceof Explained) {
    return problem.field ? { text: "", fields: { [problem.field]: problem.message } } : { text: problem.message, fields: {} };
  }
  if (problem instanceof LoginEnded) return { text: t("error.login_ended"), fields: {} };
  if (problem instanceof OutboxFull) return { text: t("error.outbox_full"), fields: {} };
  if (!(problem instanceof Refused)) return { text: t(navigator.onLine ? "error.unreachable" : "error.offline"), fields: {} };
  const translated = translation(problem.code);
  const named = problem.errors.map((error) => error.field);
  if (!translated) return { text: sentence(problem), fields: Object.fromEntries(problem.errors.map(({ field, message }) => [field, message])) };
  const own = FIELDS[problem.code];
  const fields = named.length ? named : own ? [own] : [];
  return { text: fields.length ? "" : translated, fields: Object.fromEntries(fields.map((field) => [field, translated])) };
}

export function codeOf(problem: unknown): string {
  return problem instanceof Refused ? problem.code : "";
}

/** The throttle that refused the request, such as `guesses`; empty for any other error. */
export function policyOf(problem: unknown): string {
  return problem instanceof Throttled ? problem.policy : "";
}

function sentence(problem: Refused): string {
  if (!(problem instanceof Throttled)) return problem.detail;
  const seconds = Math.ceil(problem.retryAfter);
  return seconds > 0 ? t("error.throttled_until", { wait: waiting(seconds) }) : t("error.throttled");
}

function translation(code: string): string | undefined {
  const key = `error.${code}`;
  return code !== "throttled" && has(key) ? t(key as "error.internal") : undefined;
}

/** `90` is "2 minutes": a wait is rounded up. */
export function waiting(seconds: number): string {
  const minutes = Math.ceil(seconds / 60);
  if (seconds < 60) return t("wait.seconds", { count: seconds });
  return minutes < 90 ? t("wait.minutes", { count: minutes }) : t("wait.hours", { count: Math.ceil(minutes / 60) });
}
