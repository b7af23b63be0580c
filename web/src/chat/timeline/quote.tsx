/** The message that a reply refers to; a click goes to it. */

import type { Message } from "@chat/client";
import { t } from "../../texts/texts";
import { excerpt, nameOf } from "../words";
import type { OpenConversation } from "./open-conversation";

type QuoteProps = { seq: number; open: OpenConversation; onJump: (seq: number) => void };

export function Quote({ seq, open, onJump }: QuoteProps) {
  open.quotes.known.value;
  open.live.version(open.id).value;
  const message = open.quotes.find(seq);
  return (
    <button type="button" class="quote" tabIndex={-1} onClick={() => onJump(seq)} aria-label={t("chat.go_to_quoted", { words: words(message) })}>
      <QuotedWords message={message} />
    </button>
  );
}

export function QuotedWords({ message }: { message: Message | null }) {
  if (!message) return <span class="muted">…</span>;
  return (
    <>
      <bdi class="quoted-name">{nameOf(message.sent_by)}</bdi>
      <bdi class="quoted-text">{excerpt(message)}</bdi>
    </>
  );
}

function words(message: Message | null): string {
  return message ? `${nameOf(message.sent_by)}: ${excerpt(message)}` : "";
}
