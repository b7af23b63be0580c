/** Unread messages by conversation, newest first. */

import type { Notification } from "@chat/client";
import { Badge } from "../../components/badge";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import { Icon } from "../../components/icon";
import { attempt } from "../../components/toasts";
import { href } from "../../router";
import { briefly } from "../../texts/dates";
import { t } from "../../texts/texts";
import type { Live } from "../live/live";
import { isUnread } from "../live/notices";
import { titleOf } from "../words";

/** How many conversations have an unread notification. */
export function unreadNotices(live: Live): number {
  live.list.value;
  return live.notices.items.value.filter((one) => isUnread(one, live.chat.conversations.get(one.conversation))).length;
}

export function NotificationsPanel({ live, onClose }: { live: Live; onClose: () => void }) {
  live.list.value;
  const known = live.notices.items.value.filter((one) => live.chat.conversations.has(one.conversation));
  return (
    <Dialog title={t("chat.notifications")} onClose={onClose}>
      {known.length === 0 && <p class="muted">{t("chat.no_notifications")}</p>}
      <ul class="notices">
        {known.map((one) => (
          <Row key={one.id} notification={one} live={live} onClose={onClose} />
        ))}
      </ul>
      <div class="buttons">
        {unreadNotices(live) > 0 && (
          <Button icon="checks" onClick={() => void attempt(() => live.notices.readAll())}>
            {t("chat.mark_all_read")}
          </Button>
        )}
        {live.notices.next.value && (
          <Button look="quiet" onClick={() => void attempt(() => live.notices.more())}>
            {t("more")}
          </Button>
        )}
      </div>
    </Dialog>
  );
}

function Row({ notification, live, onClose }: { notification: Notification; live: Live; onClose: () => void }) {
  const row = live.chat.conversations.get(notification.conversation);
  if (!row) return null;
  const unread = isUnread(notification, row);
  const count = Math.max(0, notification.up_to_seq - Math.max(notification.from_seq, unread ? row.read_seq : 0));
  return (
    <li>
      <a class={unread ? "notice-row unread" : "notice-row"} href={href("c", row.id)} onClick={onClose}>
        <Icon name={notification.kind === "mention" ? "megaphone" : "message"} size={18} />
        <span class="notice-words">
          <bdi>{titleOf(row)}</bdi>
          <span class="muted small">{notification.kind === "mention" ? t("chat.notice_mention", { count }) : t("chat.notice_unread", { count })}</span>
        </span>
        <time class="muted small" dateTime={notification.updated_at}>
          {briefly(notification.updated_at)}
        </time>
        {unread && <Badge count={count} look={notification.kind === "mention" ? "danger" : "strong"} label={t("chat.unread", { count })} />}
      </a>
    </li>
  );
}
