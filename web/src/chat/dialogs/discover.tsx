/** Public groups that the user is not in. */

import type { Conversation } from "@chat/client";
import { useEffect, useState } from "preact/hooks";
import { Avatar } from "../../components/avatar";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import { Field } from "../../components/field";
import { Spinner } from "../../components/spinner";
import { attempt } from "../../components/toasts";
import { go } from "../../router";
import { codeOf, explain } from "../../session/problems";
import { t } from "../../texts/texts";
import type { Live } from "../live/live";

type Page = { items: Conversation[]; next: string | null };

const PAUSE_MS = 250;

export function Discover({ live, onClose }: { live: Live; onClose: () => void }) {
  const [words, setWords] = useState("");
  const [found, setFound] = useState<Page | null>(null);
  const [wrong, setWrong] = useState("");
  const [joining, setJoining] = useState("");
  const search = words.trim() || undefined;

  const ask = (cursor: string | undefined, signal?: AbortSignal) =>
    live.chat.request<Page>("GET", "/conversations/discover/", { query: { search, cursor }, ...(signal ? { signal } : {}) });

  useEffect(() => {
    const asking = new AbortController();
    const timer = setTimeout(() => {
      ask(undefined, asking.signal).then(
        (page) => {
          if (asking.signal.aborted) return;
          setWrong("");
          setFound(page);
        },
        (problem) => asking.signal.aborted || setWrong(explain(problem).text),
      );
    }, search ? PAUSE_MS : 0);
    return () => {
      clearTimeout(timer);
      asking.abort();
    };
  }, [search]);

  const join = async (id: string) => {
    setJoining(id);
    const joined = await attempt(async () => {
      try {
        await live.chat.request("POST", `/conversations/${id}/join/`);
      } catch (problem) {
        if (codeOf(problem) !== "already_member") throw problem;
      }
    });
    setJoining("");
    if (!joined) return;
    go("c", id);
    onClose();
  };
  const more = () =>
    attempt(async () => {
      const page = await ask(found?.next ?? undefined);
      setFound({ items: [...(found?.items ?? []), ...page.items], next: page.next });
    });

  return (
    <Dialog title={t("chat.discover")} onClose={onClose}>
      <Field
        name="search"
        type="search"
        label={t("chat.search_public")}
        error={wrong || undefined}
        value={words}
        autoComplete="off"
        onInput={(event) => setWords(event.currentTarget.value)}
      />
      <div role="status">
        {!found && !wrong && <Spinner label={t("loading")} />}
        {found && !found.items.length && <p class="muted">{t("chat.nothing_public")}</p>}
      </div>
      <ul class="people" aria-label={t("chat.public_groups")}>
        {found?.items.map((row) => (
          <li key={row.id} class="person">
            <Avatar id={row.id} name={row.name} group />
            <bdi>{row.name}</bdi>
            <Button busy={joining === row.id} aria-label={t("chat.join_name", { name: row.name })} onClick={() => void join(row.id)}>
              {t("chat.join")}
            </Button>
          </li>
        ))}
      </ul>
      {found?.next && (
        <Button look="quiet" onClick={() => void more()}>
          {t("more")}
        </Button>
      )}
    </Dialog>
  );
}
