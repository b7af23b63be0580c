/** Completion of names after `@`, by the pattern of a text box with a list of options. */

import type { Person } from "@chat/client";
import type { RefObject } from "preact";
import { useId, useState } from "preact/hooks";
import type { OpenConversation } from "../timeline/open-conversation";
import { mentionOf, prefixAt, suggested } from "./mentions";

export type Mentions = {
  id: string;
  people: readonly Person[];
  active: number;
  choose: (person: Person) => void;
  /** Returns whether the key was meant for the list. */
  pressed: (event: KeyboardEvent) => boolean;
  moved: (event: Event) => void;
  close: () => void;
  attributes: Record<string, string | undefined>;
};

const NOT_MOVING: ReadonlySet<string> = new Set(["ArrowUp", "ArrowDown", "Enter", "Tab", "Escape"]);

export function useMentions(
  open: OpenConversation,
  field: RefObject<HTMLTextAreaElement | null>,
  text: string,
  setText: (text: string) => void,
): Mentions {
  const id = useId();
  const [at, setAt] = useState<{ from: number; prefix: string } | null>(null);
  const [active, setActive] = useState(0);
  const members = open.roster.members.value.map((one) => one.user).filter((one) => one.id !== open.live.me);
  const found = at ? suggested(at.prefix, members) : [];
  // A name that is written out needs no completion.
  const people = found.length === 1 && at && found[0] && mentionOf(found[0]) === `@${at.prefix}` ? [] : found;

  const choose = (person: Person) => {
    if (!at || !field.current) return;
    const words = `${mentionOf(person)} `;
    const rest = text.slice(at.from + 1 + at.prefix.length).replace(/^ /, "");
    setText(text.slice(0, at.from) + words + rest);
    setAt(null);
    const caret = at.from + words.length;
    requestAnimationFrame(() => {
      field.current?.focus();
      field.current?.setSelectionRange(caret, caret);
      // The draft follows from what the field reports.
      field.current?.dispatchEvent(new Event("input", { bubbles: true }));
    });
  };
  const pressed = (event: KeyboardEvent): boolean => {
    const person = people[Math.min(active, people.length - 1)];
    if (!person) return false;
    if (event.key === "ArrowDown") setActive((active + 1) % people.length);
    else if (event.key === "ArrowUp") setActive((active + people.length - 1) % people.length);
    else if ((event.key === "Enter" && !event.shiftKey) || event.key === "Tab") choose(person);
    else if (event.key === "Escape") setAt(null);
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  };
  const moved = (event: Event) => {
    if (event instanceof KeyboardEvent && NOT_MOVING.has(event.key)) return;
    const area = event.currentTarget as HTMLTextAreaElement;
    setAt(prefixAt(area.value, area.selectionStart));
    setActive(0);
  };
  return {
    id,
    people,
    active: Math.min(active, people.length - 1),
    choose,
    pressed,
    moved,
    close: () => setAt(null),
    attributes: {
      "aria-autocomplete": "list",
      "aria-controls": people.length ? id : undefined,
      "aria-activedescendant": people.length ? `${id}-${Math.min(active, people.length - 1)}` : undefined,
    },
  };
}
