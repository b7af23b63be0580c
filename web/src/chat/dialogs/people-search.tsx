/** Finds users by name or exact e-mail address, and lets one be chosen. */

import type { Chat, Person } from "@chat/client";
import { useEffect, useState } from "preact/hooks";
import { Avatar } from "../../components/avatar";
import { Field } from "../../components/field";
import { Spinner } from "../../components/spinner";
import { explain } from "../../session/problems";
import { t } from "../../texts/texts";
import { nameOf } from "../words";

const SHORTEST = 2;
const PAUSE_MS = 250;

type SearchProps = {
  chat: Chat;
  label: string;
  first?: string;
  /** Ids that are not offered. */
  without: readonly string[];
  onChosen: (person: Person) => void;
};

export function PeopleSearch({ chat, label, first = "", without, onChosen }: SearchProps) {
  const [words, setWords] = useState(first);
  const [found, setFound] = useState<readonly Person[] | null>(null);
  const [wrong, setWrong] = useState("");
  const wanted = words.trim();

  useEffect(() => {
    setWrong("");
    if (wanted.length < SHORTEST) return setFound(null);
    const asking = new AbortController();
    const timer = setTimeout(() => {
      const query = { search: wanted, limit: 20 };
      chat.request<{ items: Person[] }>("GET", "/users/", { query, signal: asking.signal }).then(
        (page) => asking.signal.aborted || setFound(page.items),
        (problem) => asking.signal.aborted || setWrong(explain(problem).text),
      );
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      asking.abort();
    };
  }, [wanted]);

  const offered = found?.filter((one) => !without.includes(one.id)) ?? [];
  return (
    <div class="people-search">
      <Field
        name="search"
        type="search"
        label={label}
        hint={t("chat.people_hint")}
        error={wrong || undefined}
        value={words}
        autoComplete="off"
        onInput={(event) => setWords(event.currentTarget.value)}
      />
      <div role="status">
        {wanted.length >= SHORTEST && found === null && !wrong && <Spinner label={t("loading")} />}
        {found && !offered.length && <p class="muted">{t("chat.nothing_found")}</p>}
      </div>
      {offered.length > 0 && (
        <ul class="people" aria-label={t("chat.people")}>
          {offered.map((person) => (
            <li key={person.id}>
              <button type="button" class="person" onClick={() => onChosen(person)}>
                <Avatar id={person.id} name={nameOf(person)} size="s" />
                <bdi>{nameOf(person)}</bdi>
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
