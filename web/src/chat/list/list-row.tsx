/** A conversation in the list: who, the last words, and what is unread. */

import type { Conversation } from "@chat/client";
import { Avatar } from "../../components/avatar";
import { Badge } from "../../components/badge";
import { Icon } from "../../components/icon";
import { href } from "../../router";
import { briefly } from "../../texts/dates";
import { t } from "../../texts/texts";
import type { Live } from "../live/live";
import { isUnread } from "../live/notices";
import { memo } from "../timeline/memo";
import { excerpt, nameOf, titleOf } from "../words";

type RowProps = { row: Conversation; live: Live; chosen: boolean; tabbable: boolean };

export const ListRow = memo(function ListRow({ row, live, chosen, tabbable }: RowProps) {
  const title = titleOf(row);
  const online = row.peer !== null && live.presence.online.value.has(row.peer.id);
  const mentioned = live.notices.items.value.some((one) => one.conversation === row.id && one.kind === "mention" && isUnread(one, row));
  return (
    <li>
      <a
        class={row.unread > 0 ? "list-row unread" : "list-row"}
        href={href("c", row.id)}
        tabIndex={tabbable ? 0 : -1}
        aria-current={chosen ? "page" : undefined}
        data-conversation={row.id}
      >
        <Avatar id={row.peer?.id ?? row.id} name={title} group={row.kind === "group"} online={online} />
        <span class="list-words">
          <span class="list-top">
            <bdi class="list-title">{title}</bdi>
            {online && <span class="unseen">, {t("chat.online")}</span>}
            {row.last_message && <time dateTime={row.last_message.sent_at}>{briefly(row.last_message.sent_at)}</time>}
          </span>
          <span class="list-bottom">
            <Preview row={row} live={live} />
            {mentioned && (
              <span class="badge danger" title={t("chat.mentioned")}>
                <span aria-hidden="true">@</span>
                <span class="unseen">{t("chat.mentioned")}</span>
              </span>
            )}
            <Badge count={row.unread} look="strong" label={t("chat.unread", { count: row.unread })} />
          </span>
        </span>
      </a>
    </li>
  );
});

function Preview({ row, live }: { row: Conversation; live: Live }) {
  const typing = live.typing.users.value.get(row.id) ?? [];
  const last = row.last_message;
  if (typing.length) return <span class="preview now">{t("chat.typing_now")}</span>;
  if (!last) return <span class="preview">{row.kind === "group" ? t("chat.empty_group") : t("chat.empty_direct")}</span>;
  const own = last.sent_by.id === live.me;
  const by = own ? t("chat.you") : row.kind === "group" ? last.sent_by.first_name || nameOf(last.sent_by) : "";
  return (
    <span class="preview">
      {waits(row, live) && <Icon name="clock" size={13} />}
      {by && <bdi>{by}: </bdi>}
      <bdi>{excerpt(last)}</bdi>
    </span>
  );
}

/** Whether messages of the user are still on their way there. */
function waits(row: Conversation, live: Live): boolean {
  live.version(row.id).value;
  return live.chat.pending(row.id).length > 0;
}
