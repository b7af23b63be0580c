/** Whose conversation it is, who is there, and the way to its details. */

import type { Conversation } from "@chat/client";
import { Avatar } from "../../components/avatar";
import { IconButton } from "../../components/button";
import { Icon } from "../../components/icon";
import { href } from "../../router";
import { t } from "../../texts/texts";
import { nameOf, titleOf } from "../words";
import type { OpenConversation } from "./open-conversation";

type HeaderProps = { open: OpenConversation; row: Conversation; details: boolean; onDetails: () => void };

export function Header({ open, row, details, onDetails }: HeaderProps) {
  const title = titleOf(row);
  const online = row.peer !== null && open.live.presence.online.value.has(row.peer.id);
  return (
    <header class="conversation-header">
      <a class="button icon back" href={href()} aria-label={t("chat.back_to_list")}>
        <Icon name="back" />
      </a>
      <Avatar id={row.peer?.id ?? row.id} name={title} group={row.kind === "group"} online={online} />
      <div class="heading">
        <h2>
          {row.kind === "group" && row.is_private && <Icon name="lock" size={15} />}
          <bdi>{title}</bdi>
        </h2>
        <p class="muted small">{subtitle(open, row, online)}</p>
      </div>
      <IconButton icon="info" label={t("chat.details")} aria-pressed={details} onClick={onDetails} />
    </header>
  );
}

function subtitle(open: OpenConversation, row: Conversation, online: boolean): string {
  if (row.kind === "direct") return online ? t("chat.online") : t("chat.direct");
  const count = open.roster.count.value;
  if (!count) return row.is_private ? t("chat.private_group") : t("chat.public_group");
  const present = open.roster.members.value.filter((one) => open.live.presence.online.value.has(one.user.id)).length;
  return present > 1 ? t("chat.members_online", { count, online: present }) : t("chat.members", { count });
}

/** Who is writing at the moment; an empty line otherwise, so that nothing moves. */
export function TypingLine({ open }: { open: OpenConversation }) {
  const users = open.live.typing.users.value.get(open.id) ?? [];
  const row = open.row.value;
  const people = [...open.roster.members.value.map((one) => one.user), ...(row?.peer ? [row.peer] : [])];
  const names = users.map((id) => people.find((one) => one.id === id)).filter((one) => one !== undefined).map(nameOf);
  return (
    <p class="typing" role="status">
      {users.length > 0 && (
        <>
          <span class="dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          <bdi>{words(users.length, names)}</bdi>
        </>
      )}
    </p>
  );
}

function words(count: number, names: readonly string[]): string {
  const [first, second] = names;
  if (count === 1 && first) return t("chat.typing_one", { name: first });
  if (count === 2 && first && second) return t("chat.typing_two", { name: first, other: second });
  return t("chat.typing_many");
}
