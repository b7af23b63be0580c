/** The members of a group, with the actions that the user's role allows. */

import type { Conversation, Member, Person } from "@chat/client";
import { useState } from "preact/hooks";
import { Avatar } from "../../components/avatar";
import { Button } from "../../components/button";
import { Confirm, Dialog } from "../../components/dialog";
import { Menu, type MenuItem } from "../../components/menu";
import { attempt, toast } from "../../components/toasts";
import { t } from "../../texts/texts";
import { converse } from "../dialogs/new-direct";
import { PeopleSearch } from "../dialogs/people-search";
import type { OpenConversation } from "../timeline/open-conversation";
import { nameOf } from "../words";

export function MemberList({ open, row }: { open: OpenConversation; row: Conversation }) {
  const { roster, live } = open;
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<Person | null>(null);
  const members = [...roster.members.value].sort((one, other) => byRole(one, other, row.creator));
  const online = live.presence.online.value;
  const path = `/conversations/${row.id}`;
  const act = (verb: string, user: string) => live.chat.request<void>("POST", `${path}/${verb}/`, { body: { user } });

  return (
    <section class="details-part" aria-label={t("chat.members_title")}>
      <div class="part-title">
        <h3>{t("chat.members", { count: roster.count.value })}</h3>
        {row.role === "admin" && (
          <Button look="quiet" icon="user_plus" onClick={() => setAdding(true)}>
            {t("chat.add")}
          </Button>
        )}
      </div>
      <ul class="people">
        {members.map((member) => {
          const items = itemsOf(member, row, open, act, setRemoving);
          return (
            <li key={member.user.id} class="person">
              <Avatar id={member.user.id} name={nameOf(member.user)} size="s" online={online.has(member.user.id)} />
              <span class="person-words">
                <bdi>{member.user.id === live.me ? t("chat.name_you", { name: nameOf(member.user) }) : nameOf(member.user)}</bdi>
                {online.has(member.user.id) && <span class="unseen">, {t("chat.online")}</span>}
                <span class="muted small">{member.user.id === row.creator ? t("chat.creator") : member.role === "admin" ? t("chat.admin") : ""}</span>
              </span>
              {items.length > 0 && <Menu label={t("chat.actions_for", { name: nameOf(member.user) })} items={items} />}
            </li>
          );
        })}
      </ul>
      {roster.next.value && (
        <Button look="quiet" onClick={() => void attempt(() => roster.more())}>
          {t("more")}
        </Button>
      )}
      {adding && (
        <Dialog title={t("chat.add_people")} onClose={() => setAdding(false)}>
          <PeopleSearch
            chat={live.chat}
            label={t("chat.find_user")}
            without={roster.members.value.map((one) => one.user.id)}
            onChosen={(person) =>
              void attempt(async () => {
                await act("add_member", person.id);
                toast(t("chat.added", { name: nameOf(person) }));
              })
            }
          />
        </Dialog>
      )}
      {removing && (
        <Confirm title={t("chat.remove_title", { name: nameOf(removing) })} confirm={t("chat.remove")} action={() => act("remove_member", removing.id)} onClose={() => setRemoving(null)}>
          <p>{t("chat.remove_question")}</p>
        </Confirm>
      )}
    </section>
  );
}

type Act = (verb: string, user: string) => Promise<void>;

function itemsOf(member: Member, row: Conversation, open: OpenConversation, act: Act, remove: (user: Person) => void): MenuItem[] {
  const { user } = member;
  if (user.id === open.live.me) return [];
  const items: MenuItem[] = [{ label: t("chat.write_to"), icon: "message", onSelect: () => void converse(open.live, user.id) }];
  if (row.role !== "admin" || user.id === row.creator) return items;
  if (member.role === "admin") {
    items.push({ label: t("chat.remove_admin"), icon: "shield", onSelect: () => void attempt(() => act("remove_admin", user.id)) });
  } else {
    items.push({ label: t("chat.make_admin"), icon: "shield", onSelect: () => void attempt(() => act("make_admin", user.id)) });
  }
  items.push("line", { label: t("chat.remove_member"), icon: "trash", danger: true, onSelect: () => remove(user) });
  return items;
}

function byRole(one: Member, other: Member, creator: string): number {
  const rank = (member: Member) => (member.user.id === creator ? 0 : member.role === "admin" ? 1 : 2);
  return rank(one) - rank(other) || nameOf(one.user).localeCompare(nameOf(other.user));
}
