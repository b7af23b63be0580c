import { Avatar } from "../../components/avatar";
import { t } from "../../texts/texts";
import { nameOf } from "../words";
import type { Mentions } from "./use-mentions";

export function Suggestions({ mentions: { id, people, active, choose } }: { mentions: Mentions }) {
  if (!people.length) return null;
  return (
    <ul class="suggestions" role="listbox" id={id} aria-label={t("chat.mention")}>
      {people.map((person, at) => (
        <li
          key={person.id}
          id={`${id}-${at}`}
          role="option"
          aria-selected={at === active}
          // The field keeps the focus: its blur would close the list before the click.
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => choose(person)}
        >
          <Avatar id={person.id} name={nameOf(person)} size="s" />
          <bdi>{nameOf(person)}</bdi>
        </li>
      ))}
    </ul>
  );
}
