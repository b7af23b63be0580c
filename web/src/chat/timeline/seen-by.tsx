/** Who has read a message. */

import type { Message, Person } from "@chat/client";
import { Avatar } from "../../components/avatar";
import { Dialog } from "../../components/dialog";
import { Loaded, useLoaded } from "../../components/loaded";
import { dateAndTime } from "../../texts/dates";
import { t } from "../../texts/texts";
import type { Live } from "../live/live";
import { nameOf } from "../words";

type MessageDetail = Message & { seen_by: { count: number; users: Person[] } };
type SeenByProps = { message: Message; live: Live; onClose: () => void };

export function SeenBy({ message, live, onClose }: SeenByProps) {
  const path = `/conversations/${message.conversation}/messages/${message.id}/`;
  const detail = useLoaded(() => live.chat.request<MessageDetail>("GET", path), [path]);
  return (
    <Dialog title={t("chat.seen_by")} onClose={onClose}>
      <p class="muted">{t("chat.sent_at", { time: dateAndTime(message.sent_at) })}</p>
      <Loaded of={detail}>{(found) => <Readers detail={found} />}</Loaded>
    </Dialog>
  );
}

function Readers({ detail }: { detail: MessageDetail }) {
  const readers = detail.seen_by.users.filter((one) => one.id !== detail.sent_by.id);
  const more = detail.seen_by.count - detail.seen_by.users.length;
  if (readers.length === 0) return <p>{t("chat.seen_by_none")}</p>;
  return (
    <>
      <ul class="people">
        {readers.map((one) => (
          <li key={one.id} class="person">
            <Avatar id={one.id} name={nameOf(one)} size="s" />
            <bdi>{nameOf(one)}</bdi>
          </li>
        ))}
      </ul>
      {more > 0 && <p class="muted">{t("chat.and_more", { count: more })}</p>}
    </>
  );
}
