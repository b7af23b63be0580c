/** Beside the conversation: its members, its notifications, and what the user may do with it. */

import type { Conversation } from "@chat/client";
import { useEffect, useRef, useState } from "preact/hooks";
import { Avatar } from "../../components/avatar";
import { Button, IconButton } from "../../components/button";
import { Confirm } from "../../components/dialog";
import { attempt } from "../../components/toasts";
import { go } from "../../router";
import { t } from "../../texts/texts";
import type { OpenConversation } from "../timeline/open-conversation";
import { titleOf } from "../words";
import { Attention } from "./attention";
import { GroupSettings } from "./group-settings";
import { MemberList } from "./member-list";

type PanelProps = { open: OpenConversation; row: Conversation; onClose: () => void };
type Asked = "leave" | "delete" | null;

export function DetailsPanel({ open, row, onClose }: PanelProps) {
  const [asked, ask] = useState<Asked>(null);
  const panel = useRef<HTMLElement>(null);
  const { chat, me } = open.live;
  const title = titleOf(row);
  const path = `/conversations/${row.id}`;

  useEffect(() => panel.current?.focus(), []);

  const hide = () =>
    attempt(async () => {
      await chat.request("PUT", `${path}/hidden/`, { body: { hidden: true } });
      go();
    });
  return (
    <aside
      ref={panel}
      class="details"
      tabIndex={-1}
      aria-label={t("chat.details")}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || event.defaultPrevented) return;
        event.stopPropagation();
        onClose();
      }}
    >
      <header>
        <h2>{t("chat.details")}</h2>
        <IconButton icon="close" label={t("close")} onClick={onClose} />
      </header>
      <div class="details-body">
        <div class="details-title">
          <Avatar id={row.peer?.id ?? row.id} name={title} size="l" group={row.kind === "group"} />
          <h3>
            <bdi>{title}</bdi>
          </h3>
          {row.kind === "group" && <p class="muted small">{row.is_private ? t("chat.private_group") : t("chat.public_group")}</p>}
        </div>
        <Attention key={row.id} chat={chat} conversation={row.id} />
        {row.kind === "group" && row.role === "admin" && <GroupSettings chat={chat} row={row} />}
        {row.kind === "group" && <MemberList open={open} row={row} />}
        <div class="details-end">
          {row.kind === "direct" && (
            <Button icon="archive" onClick={() => void hide()}>
              {t("chat.hide")}
            </Button>
          )}
          {row.kind === "group" && (
            <Button icon="log_out" onClick={() => ask("leave")}>
              {t("chat.leave")}
            </Button>
          )}
          {row.kind === "group" && row.creator === me && (
            <Button look="danger" icon="trash" onClick={() => ask("delete")}>
              {t("chat.delete_group")}
            </Button>
          )}
        </div>
        {row.kind === "direct" && <p class="muted small">{t("chat.hide_hint")}</p>}
      </div>
      {asked === "leave" && (
        <Confirm title={t("chat.leave_title", { title })} confirm={t("chat.leave")} action={() => chat.request("POST", `${path}/leave_conversation/`)} onClose={() => ask(null)}>
          <p>{row.is_private ? t("chat.leave_private") : t("chat.leave_public")}</p>
        </Confirm>
      )}
      {asked === "delete" && (
        <Confirm title={t("chat.delete_group_title", { title })} confirm={t("chat.delete_group")} action={() => chat.request("DELETE", `${path}/`)} onClose={() => ask(null)}>
          <p>{t("chat.delete_group_question")}</p>
        </Confirm>
      )}
    </aside>
  );
}
