import type { ConversationDetail } from "@chat/client";
import { Dialog } from "../../components/dialog";
import { attempt } from "../../components/toasts";
import { go } from "../../router";
import { t } from "../../texts/texts";
import type { Live } from "../live/live";
import { PeopleSearch } from "./people-search";

/** Opens the direct conversation with a user, which exists at most once; a hidden one shows again. */
export async function converse(live: Live, user: string): Promise<boolean> {
  return attempt(async () => {
    const made = await live.chat.request<ConversationDetail>("POST", "/conversations/", { body: { kind: "direct", user } });
    if (!live.chat.conversations.has(made.id)) {
      await live.chat.request("PUT", `/conversations/${made.id}/hidden/`, { body: { hidden: false } });
    }
    go("c", made.id);
  });
}

export function NewDirect({ live, words, onClose }: { live: Live; words: string; onClose: () => void }) {
  return (
    <Dialog title={t("chat.new_direct")} onClose={onClose}>
      <PeopleSearch
        chat={live.chat}
        label={t("chat.find_user")}
        first={words}
        without={[live.me]}
        onChosen={(person) => void converse(live, person.id).then((done) => done && onClose())}
      />
    </Dialog>
  );
}
