/** Above the text field: which message is being answered or edited. */

import { IconButton } from "../../components/button";
import { Icon } from "../../components/icon";
import { t } from "../../texts/texts";
import { QuotedWords } from "../timeline/quote";
import type { OpenConversation } from "../timeline/open-conversation";

export function About({ open, onCancel }: { open: OpenConversation; onCancel: () => void }) {
  const message = open.editing.value ?? open.replying.value;
  if (!message) return null;
  const editing = open.editing.value !== null;
  return (
    <div class="about" role="status">
      <Icon name={editing ? "edit" : "reply"} size={18} />
      <div class="about-words">
        <span class="unseen">{editing ? t("chat.editing") : t("chat.replying")}</span>
        <QuotedWords message={message} />
      </div>
      <IconButton icon="close" label={editing ? t("chat.cancel_edit") : t("chat.cancel_reply")} onClick={onCancel} />
    </div>
  );
}
