import { useEffect, useState } from "preact/hooks";
import { t } from "../../texts/texts";
import type { Live } from "../live/live";
import { excerpt, nameOf, titleOf } from "../words";

/** New messages for screen readers: in words if the conversation is open, otherwise only who wrote where. */
export function Announcer({ live, open }: { live: Live; open: string | null }) {
  const message = live.arrived.value;
  const [words, setWords] = useState("");

  useEffect(() => {
    if (!message) return;
    const row = live.chat.conversations.get(message.conversation);
    const name = nameOf(message.sent_by);
    if (message.conversation === open) setWords(t("chat.announced", { name, words: excerpt(message) }));
    else if (row) setWords(t("chat.announced_elsewhere", { name, title: titleOf(row) }));
  }, [message]);

  return (
    <div class="unseen" role="log" aria-live="polite" aria-label={t("chat.new_messages")}>
      {words}
    </div>
  );
}
