/** How people, conversations and messages are named. */

import type { Conversation, Message, Person } from "@chat/client";
import { t } from "../texts/texts";

export function nameOf(person: Person): string {
  const name = `${person.first_name} ${person.last_name}`.trim();
  return name === "deleted user" ? t("chat.deleted_user") : name;
}

export function titleOf(conversation: Conversation): string {
  if (conversation.kind === "group") return conversation.name;
  return conversation.peer ? nameOf(conversation.peer) : t("chat.deleted_user");
}

/** One line for the list, a quote or a notification. */
export function excerpt(message: Message): string {
  if (message.deleted_at) return t("chat.deleted_message");
  switch (message.message_type) {
    case "image":
      return t("chat.image");
    case "audio":
      return t("chat.audio");
    case "video":
      return t("chat.video");
    default:
      return message.text.replace(/\s+/g, " ").slice(0, LONGEST);
  }
}

const LONGEST = 200;
