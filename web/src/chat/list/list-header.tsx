import { Avatar } from "../../components/avatar";
import { Icon } from "../../components/icon";
import { Menu, type MenuItem } from "../../components/menu";
import { attempt } from "../../components/toasts";
import { href } from "../../router";
import { appName, base } from "../../session/addresses";
import { logOut, user } from "../../session/session";
import { t } from "../../texts/texts";
import type { DialogName } from "../dialogs/dialogs";
import type { Live } from "../live/live";
import { unreadNotices } from "../panels/notifications-panel";

/** The name of the chat, notifications, what can be begun, and the account. */
export function ListHeader({ live, show }: { live: Live; show: (dialog: DialogName) => void }) {
  const me = user.value;
  const unread = unreadNotices(live);
  const name = me ? `${me.first_name} ${me.last_name}`.trim() : "";
  const account: MenuItem[] = [
    { label: t("settings.title"), icon: "settings", href: href("settings") },
    { label: t("chat.keys"), icon: "info", onSelect: () => show("keys") },
    ...(me?.is_operator ? [{ label: t("chat.operators"), icon: "monitor" as const, href: new URL("ops", base).href }] : []),
    "line",
    { label: t("chat.log_out"), icon: "log_out", onSelect: () => void attempt(logOut) },
  ];
  return (
    <header class="list-header">
      <h1>{appName}</h1>
      <button
        type="button"
        class="button icon with-count"
        aria-label={unread ? t("chat.notifications_unread", { count: unread }) : t("chat.notifications")}
        title={t("chat.notifications")}
        onClick={() => show("notifications")}
      >
        <Icon name="bell" />
        {unread > 0 && (
          <span class="badge danger" aria-hidden="true">
            {unread > 99 ? "99+" : unread}
          </span>
        )}
      </button>
      <Menu
        label={t("chat.new")}
        icon="plus"
        items={[
          { label: t("chat.new_direct"), icon: "message", onSelect: () => show("direct") },
          { label: t("chat.new_group"), icon: "users", onSelect: () => show("group") },
          { label: t("chat.discover"), icon: "compass", onSelect: () => show("discover") },
        ]}
      />
      <Menu label={t("chat.account_of", { name })} items={account}>
        <Avatar id={live.me} name={name} size="s" />
      </Menu>
    </header>
  );
}
