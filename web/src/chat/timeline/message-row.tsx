/** One message, with what may be done with it. */

import { useComputed } from "@preact/signals";
import { useState } from "preact/hooks";
import { Avatar } from "../../components/avatar";
import { IconButton } from "../../components/button";
import { Icon } from "../../components/icon";
import { Menu, type MenuItem } from "../../components/menu";
import { toast } from "../../components/toasts";
import { dateAndTime, timeOf } from "../../texts/dates";
import { t } from "../../texts/texts";
import { nameOf } from "../words";
import type { Item } from "./items";
import { Media } from "./media";
import { memo } from "./memo";
import type { OpenConversation } from "./open-conversation";
import { Quote } from "./quote";
import { Words } from "./words";

export type MessageItem = Extract<Item, { kind: "message" }>;

export type Acts = {
  jump: (seq: number) => void;
  remove: (item: MessageItem) => void;
  details: (item: MessageItem) => void;
  write: () => void;
};

type RowProps = { item: MessageItem; open: OpenConversation; acts: Acts; direct: boolean };

export const MessageRow = memo(function MessageRow({ item, open, acts, direct }: RowProps) {
  const { message, own, first, key } = item;
  const current = useComputed(() => open.current.value === key).value;
  const marked = useComputed(() => open.marked.value === key).value;
  const [up, setUp] = useState(false);
  const deleted = message.deleted_at !== null;
  const look = ["message", own ? "own" : "theirs", first ? "first" : "", marked ? "marked" : "", deleted ? "deleted" : ""].join(" ");

  const pressed = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = actionOf(event, item, open, acts);
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  };
  const entered = (event: Event) => {
    const row = event.currentTarget as HTMLElement;
    setUp(row.getBoundingClientRect().bottom > innerHeight * 0.6);
  };
  return (
    <div class={look} data-key={key} data-seq={message.seq} onPointerEnter={entered} onFocusIn={entered}>
      {!own && !direct && <div class="message-avatar">{first && <Avatar id={message.sent_by.id} name={nameOf(message.sent_by)} size="s" />}</div>}
      <article
        class="bubble"
        tabIndex={-1}
        aria-label={t("chat.message_by", { name: own ? t("chat.you") : nameOf(message.sent_by), time: timeOf(message.sent_at) })}
        onFocusIn={() => (open.current.value = key)}
        onKeyDown={pressed}
      >
        {first && !own && !direct && (
          <p class="sender">
            <bdi>{nameOf(message.sent_by)}</bdi>
          </p>
        )}
        {message.reply_to !== null && !deleted && <Quote seq={message.reply_to} open={open} onJump={acts.jump} />}
        <Body item={item} open={open} />
        <Meta item={item} open={open} />
        {!deleted && (
          <div class="actions">
            <IconButton icon="reply" label={t("chat.reply")} tabIndex={current ? 0 : -1} onClick={() => reply(item, open, acts)} />
            <Menu label={t("chat.message_actions")} items={itemsOf(item, open, acts)} place={up ? (own ? "up" : "left up") : own ? "" : "left"} />
          </div>
        )}
      </article>
    </div>
  );
});

function Body({ item: { message }, open }: { item: MessageItem; open: OpenConversation }) {
  if (message.deleted_at) {
    return (
      <p class="words muted">
        <Icon name="trash" size={15} /> {t("chat.deleted_message")}
      </p>
    );
  }
  if (message.message_type !== "text") return <Media key={message.media_url} kind={message.message_type} address={message.media_url} />;
  return <Words text={message.text} members={open.roster.members.value.map((one) => one.user)} me={open.live.me} />;
}

function Meta({ item: { message, own }, open }: { item: MessageItem; open: OpenConversation }) {
  open.roster.version.value;
  const edited = !message.deleted_at && Date.parse(message.updated_at) > Date.parse(message.sent_at);
  const seen = own && open.roster.readers(message.seq, message.sent_by.id).length > 0;
  return (
    <p class="meta">
      {edited && <span>{t("chat.edited")}</span>}
      <time dateTime={message.sent_at} title={dateAndTime(message.sent_at)}>
        {timeOf(message.sent_at)}
      </time>
      {own && !message.deleted_at && (
        <span class={seen ? "tick seen" : "tick"}>
          <Icon name={seen ? "checks" : "check"} size={15} />
          <span class="unseen">{seen ? t("chat.read_by_others") : t("chat.stored")}</span>
        </span>
      )}
    </p>
  );
}

export function mayRemove({ message, own }: MessageItem, open: OpenConversation): boolean {
  const row = open.live.chat.conversations.get(open.id);
  return !message.deleted_at && (own || (row?.kind === "group" && row.role === "admin"));
}

function mayEdit({ message, own }: MessageItem): boolean {
  return own && !message.deleted_at && message.message_type === "text";
}

function reply({ message }: MessageItem, open: OpenConversation, acts: Acts): void {
  open.reply(message);
  acts.write();
}

function itemsOf(item: MessageItem, open: OpenConversation, acts: Acts): MenuItem[] {
  const { message } = item;
  const items: MenuItem[] = [{ label: t("chat.reply"), icon: "reply", onSelect: () => reply(item, open, acts) }];
  const copied = message.message_type === "text" ? message.text : message.media_url;
  items.push({ label: t("copy"), icon: "copy", onSelect: () => void copy(copied) });
  if (mayEdit(item)) {
    items.push({
      label: t("chat.edit"),
      icon: "edit",
      onSelect: () => {
        open.edit(message);
        acts.write();
      },
    });
  }
  items.push({ label: t("chat.seen_by"), icon: "checks", onSelect: () => acts.details(item) });
  if (mayRemove(item, open)) items.push("line", { label: t("chat.delete"), icon: "trash", danger: true, onSelect: () => acts.remove(item) });
  return items;
}

function actionOf(event: KeyboardEvent, item: MessageItem, open: OpenConversation, acts: Acts): (() => void) | null {
  switch (event.key) {
    case "r":
      return item.message.deleted_at ? null : () => reply(item, open, acts);
    case "e":
      if (!mayEdit(item)) return null;
      return () => {
        open.edit(item.message);
        acts.write();
      };
    case "Delete":
      return mayRemove(item, open) ? () => acts.remove(item) : null;
    case "Enter": {
      const row = event.currentTarget as HTMLElement;
      return () => row.querySelector<HTMLElement>("[aria-haspopup='menu']")?.click();
    }
    default:
      return null;
  }
}

async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast(t("copied"));
  } catch {
    toast(t("chat.not_copied"), "warning");
  }
}
