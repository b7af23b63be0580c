/** What stands between messages: days, joins and exits, the line before new messages, the beginning. */

import { Icon } from "../../components/icon";
import { Spinner } from "../../components/spinner";
import { dayOf, timeOf } from "../../texts/dates";
import { t } from "../../texts/texts";
import type { MemberLine } from "../live/member-lines";
import { nameOf } from "../words";

export function DayLine({ at }: { at: string }) {
  return (
    <div class="day-line">
      <time dateTime={at.slice(0, 10)}>{dayOf(at)}</time>
    </div>
  );
}

export function NewLine() {
  return (
    <div class="new-line">
      <span>{t("chat.new_messages")}</span>
    </div>
  );
}

export function Membership({ line, me }: { line: MemberLine; me: string }) {
  return (
    <p class="member-line">
      <Icon name={line.kind === "left" || line.kind === "removed" ? "log_out" : line.kind === "promoted" || line.kind === "demoted" ? "shield" : "user_plus"} size={15} />
      <span>{sentence(line, me)}</span>
      <time dateTime={line.at}>{timeOf(line.at)}</time>
    </p>
  );
}

function sentence(line: MemberLine, me: string): string {
  const user = line.user.id === me ? t("chat.you") : nameOf(line.user);
  const own = line.user.id === me;
  const by = line.by ? (line.by.id === me ? t("chat.you") : nameOf(line.by)) : null;
  if (by && line.by?.id === me) return t(`chat.line.you.${withActor(line)}`, { user });
  if (own) return by ? t(`chat.line.own.${withActor(line)}`, { by }) : t(`chat.line.own.${alone(line)}`);
  return by ? t(`chat.line.${withActor(line)}`, { user, by }) : t(`chat.line.${alone(line)}`, { user });
}

function withActor(line: MemberLine): "added" | "removed" | "promoted" | "demoted" {
  return line.kind === "joined" ? "added" : line.kind === "left" ? "removed" : line.kind;
}

function alone(line: MemberLine): "joined" | "left" | "became_admin" | "was_admin" {
  switch (line.kind) {
    case "joined":
    case "added":
      return "joined";
    case "left":
    case "removed":
      return "left";
    case "promoted":
      return "became_admin";
    case "demoted":
      return "was_admin";
  }
}

type BeginningProps = { older: boolean; loading: boolean; title: string; onOlder: () => void };

export function Beginning({ older, loading, title, onOlder }: BeginningProps) {
  if (!older) return <p class="beginning">{t("chat.beginning", { title })}</p>;
  return (
    <p class="beginning">
      {loading ? (
        <Spinner label={t("chat.loading_older")} />
      ) : (
        <button type="button" class="button quiet" onClick={onOlder}>
          {t("chat.load_older")}
        </button>
      )}
    </p>
  );
}
