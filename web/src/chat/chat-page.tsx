/** The chat: the list, the open conversation and its details; on a narrow screen one of them at a time. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Empty } from "../components/empty";
import { Spinner } from "../components/spinner";
import { toast } from "../components/toasts";
import { go, href, route } from "../router";
import { appName } from "../session/addresses";
import { chat, state, userId } from "../session/session";
import { t } from "../texts/texts";
import { Dialogs, type DialogName } from "./dialogs/dialogs";
import { ConversationList } from "./list/conversation-list";
import { ListHeader } from "./list/list-header";
import { Live } from "./live/live";
import { DetailsPanel } from "./members/details-panel";
import { Announcer } from "./panels/announcer";
import { Banners } from "./panels/banners";
import { PlugPanel, usePlug } from "./panels/plug-panel";
import { ConversationView } from "./timeline/conversation-view";
import { OpenConversation } from "./timeline/open-conversation";
import { useKeys } from "./use-keys";

const PATIENCE_MS = 4_000;

export function ChatPage() {
  const me = userId.value ?? "";
  const live = useMemo(() => new Live(chat, me), [me]);
  useEffect(() => () => live.end(), [live]);

  const [name, argument] = route.value;
  const chosen = name === "c" && argument ? argument : null;
  const row = live.list.value.find((one) => one.id === chosen);
  const open = useMemo(() => (row ? new OpenConversation(live, row.id) : null), [live, row?.id]);
  useEffect(() => () => open?.end(), [open]);

  const [dialog, show] = useState<DialogName | null>(null);
  const [words, setWords] = useState("");
  const [details, setDetails] = useState(false);
  const search = useRef<HTMLInputElement>(null);
  const parts = usePlug(chat);

  useTitle(live);
  useDeparture(live, chosen);
  useKeys({ live, chosen, search, help: () => show("keys") });

  const findPeople = (found: string) => {
    setWords(found);
    show("direct");
  };
  const screen = !chosen ? "list" : details && open ? "details" : "conversation";
  return (
    <div class="chat-page">
      <Banners live={live} />
      <div class="chat" data-screen={screen}>
        <div class="sidebar">
          <ListHeader live={live} show={show} />
          <ConversationList live={live} chosen={chosen} search={search} onFindPeople={findPeople} onDiscover={() => show("discover")} />
          {parts.length > 0 && <PlugPanel chat={chat} parts={parts} />}
        </div>
        <main class="main">
          {open && <ConversationView key={open.id} open={open} details={details} onDetails={() => setDetails(!details)} />}
          {!open && (chosen ? <Absent key={chosen} /> : <Nothing />)}
        </main>
        {open && row && details && <DetailsPanel key={open.id} open={open} row={row} onClose={() => setDetails(false)} />}
      </div>
      <Announcer live={live} open={chosen} />
      <Dialogs shown={dialog} live={live} words={words} onClose={() => show(null)} />
    </div>
  );
}

function Nothing() {
  return (
    <div class="centre">
      <Empty icon="message" title={t("chat.choose")}>
        <p>{t("chat.choose_hint")}</p>
      </Empty>
    </div>
  );
}

/** The address of a conversation that is not in the list: on its way, left, or never seen. */
function Absent() {
  const [waited, setWaited] = useState(false);
  const settled = state.value === "live";
  useEffect(() => {
    if (!settled) return;
    const timer = setTimeout(() => setWaited(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [settled]);
  return (
    <div class="centre">
      {waited ? (
        <Empty icon="lock" title={t("chat.absent")}>
          <a class="button secondary" href={href()}>
            {t("chat.back_to_list")}
          </a>
        </Empty>
      ) : (
        <Spinner large label={t("loading")} />
      )}
    </div>
  );
}

function useTitle(live: Live): void {
  const unread = live.list.value.reduce((sum, row) => sum + row.unread, 0);
  useEffect(() => {
    document.title = unread > 0 ? `(${unread > 99 ? "99+" : unread}) ${appName}` : appName;
  }, [unread]);
  useEffect(
    () => () => {
      document.title = appName;
    },
    [],
  );
}

/** The open conversation was taken away: says why, and shows the list. */
function useDeparture(live: Live, chosen: string | null): void {
  const departed = live.departed.value;
  useEffect(() => {
    if (!departed || departed.conversation !== chosen) return;
    if (departed.reason === "removed" || departed.reason === "not_a_member") toast(t("chat.departed_removed"), "warning");
    else if (departed.reason === "deleted") toast(t("chat.departed_deleted"), "warning");
    go();
  }, [departed]);
}
