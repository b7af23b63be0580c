/** The chat itself. */

import { Empty } from "../components/empty";
import { href } from "../router";
import { t } from "../texts/texts";

export function ChatPage() {
  return (
    <main class="centre">
      <Empty icon="message" title={t("chat.title")}>
        <a href={href("settings")}>{t("settings.title")}</a>
      </Empty>
    </main>
  );
}
