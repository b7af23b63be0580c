/** A message on its way: why it is not there yet, and what may be done about it. */

import type { Pending } from "@chat/client";
import { Button } from "../../components/button";
import { Icon } from "../../components/icon";
import { Spinner } from "../../components/spinner";
import { explain } from "../../session/problems";
import { timeWithSeconds } from "../../texts/dates";
import { t } from "../../texts/texts";
import { Media } from "./media";
import type { OpenConversation } from "./open-conversation";
import { Quote } from "./quote";
import { Words } from "./words";

type PendingProps = { itemKey: string; pending: Pending; first: boolean; open: OpenConversation; onJump: (seq: number) => void };

export function PendingRow({ itemKey, pending, first, open, onJump }: PendingProps) {
  const { chat, me } = open.live;
  const { body } = pending;
  return (
    <div class={`message own pending ${pending.state}${first ? " first" : ""}`} data-key={itemKey}>
      <article class="bubble" tabIndex={-1} aria-label={t("chat.pending_message")}>
        {body.reply_to != null && <Quote seq={body.reply_to} open={open} onJump={onJump} />}
        {body.media_url ? (
          <Media kind={body.message_type ?? "text"} address={body.media_url} />
        ) : (
          <Words text={body.text ?? ""} members={open.roster.members.value.map((one) => one.user)} me={me} />
        )}
        <PendingState pending={pending} />
        {pending.state === "refused" && (
          <div class="buttons">
            <Button icon="retry" onClick={() => chat.retry(open.id, pending.client_id)}>
              {t("chat.retry")}
            </Button>
            <Button look="quiet" icon="trash" onClick={() => chat.discard(open.id, pending.client_id)}>
              {t("chat.discard")}
            </Button>
          </div>
        )}
      </article>
    </div>
  );
}

function PendingState({ pending }: { pending: Pending }) {
  switch (pending.state) {
    case "sending":
      return (
        <p class="meta">
          <Spinner label={t("chat.sending")} />
        </p>
      );
    case "throttled":
      return (
        <p class="meta spoken" role="status">
          <Icon name="clock" size={15} />
          {pending.retry_at === undefined ? t("chat.throttled") : t("chat.throttled_until", { time: timeWithSeconds(pending.retry_at) })}
        </p>
      );
    case "refused":
      return (
        <p class="meta spoken wrong" role="alert">
          <Icon name="alert" size={15} />
          {t("chat.not_sent", { reason: reasonOf(pending) })}
        </p>
      );
    default:
      return (
        <p class="meta">
          <Icon name="clock" size={15} />
          <span>{t("chat.waiting")}</span>
        </p>
      );
  }
}

function reasonOf(pending: Pending): string {
  const { text, fields } = explain(pending.error);
  return Object.values(fields).join(" ") || text;
}
