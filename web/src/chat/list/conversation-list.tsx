/** The user's conversations: search, badges, and the ways to more of them. */

import { useComputed, useSignal } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Empty } from "../../components/empty";
import { Button } from "../../components/button";
import { Icon } from "../../components/icon";
import { Spinner } from "../../components/spinner";
import { go } from "../../router";
import { state } from "../../session/session";
import { t } from "../../texts/texts";
import { normal } from "../composer/mentions";
import type { Live } from "../live/live";
import { titleOf } from "../words";
import { ListRow } from "./list-row";

const SHOWN_AT_FIRST = 60;
const NEAR_END = 600;

type ListProps = { live: Live; chosen: string | null; search: RefObject<HTMLInputElement | null>; onFindPeople: (words: string) => void; onDiscover: () => void };

export function ConversationList({ live, chosen, search, onFindPeople, onDiscover }: ListProps) {
  const words = useSignal("");
  const shown = useSignal(SHOWN_AT_FIRST);
  const list = useRef<HTMLUListElement>(null);
  const found = useComputed(() => {
    const wanted = normal(words.value.trim());
    return wanted ? live.list.value.filter((row) => normal(titleOf(row)).includes(wanted)) : live.list.value;
  });
  const rows = found.value.slice(0, shown.value);
  const tabbable = rows.some((row) => row.id === chosen) ? chosen : rows[0]?.id;

  useEffect(() => {
    shown.value = SHOWN_AT_FIRST;
    list.current?.scrollTo(0, 0);
  }, [words.value]);

  const searched = (event: KeyboardEvent) => {
    if (event.altKey || event.isComposing) return;
    if (event.key === "ArrowDown") focusRow(list.current, 0);
    else if (event.key === "Enter" && rows[0]) go("c", rows[0].id);
    else if (event.key === "Escape" && words.value) words.value = "";
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const walked = (event: KeyboardEvent) => {
    if (event.altKey) return; // walks over conversations, not over rows
    const all = [...(list.current?.querySelectorAll<HTMLElement>("a") ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    if (event.key === "ArrowDown") focusRow(list.current, Math.min(at + 1, all.length - 1));
    else if (event.key === "ArrowUp" && at > 0) focusRow(list.current, at - 1);
    else if (event.key === "ArrowUp") search.current?.focus();
    else if (event.key === "Home") focusRow(list.current, 0);
    else if (event.key === "End") focusRow(list.current, all.length - 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="list">
      <div class="list-search" role="search">
        <Icon name="search" size={18} />
        <input
          ref={search}
          class="input"
          type="search"
          value={words.value}
          placeholder={t("chat.search")}
          aria-label={t("chat.search")}
          autoComplete="off"
          onInput={(event) => (words.value = event.currentTarget.value)}
          onKeyDown={searched}
        />
      </div>
      <nav class="list-frame" aria-label={t("chat.conversations")}>
        <ul
          ref={list}
          class="list-rows"
          onKeyDown={walked}
          onScroll={(event) => {
            const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
            if (scrollHeight - scrollTop - clientHeight < NEAR_END && shown.value < found.value.length) shown.value += SHOWN_AT_FIRST;
          }}
        >
          {rows.map((row) => (
            <ListRow key={row.id} row={row} live={live} chosen={row.id === chosen} tabbable={row.id === tabbable} />
          ))}
        </ul>
        {!rows.length && !words.value && <Nothing onDiscover={onDiscover} onFindPeople={() => onFindPeople("")} />}
        {words.value.trim().length > 1 && (
          <div class="list-more">
            {!rows.length && <p class="muted">{t("chat.nothing_found")}</p>}
            <Button look="quiet" icon="user_plus" onClick={() => onFindPeople(words.value.trim())}>
              {t("chat.find_people", { words: words.value.trim() })}
            </Button>
          </div>
        )}
      </nav>
    </div>
  );
}

function Nothing({ onDiscover, onFindPeople }: { onDiscover: () => void; onFindPeople: () => void }) {
  if (state.value === "connecting" || state.value === "catching_up") {
    return (
      <div class="list-more">
        <Spinner label={t("loading")} large />
      </div>
    );
  }
  return (
    <Empty icon="message" title={t("chat.no_conversations")}>
      <Button icon="user_plus" onClick={onFindPeople}>
        {t("chat.new_direct")}
      </Button>
      <Button icon="compass" onClick={onDiscover}>
        {t("chat.discover")}
      </Button>
    </Empty>
  );
}

function focusRow(list: HTMLUListElement | null, at: number): void {
  list?.querySelectorAll<HTMLElement>("a")[at]?.focus();
}
