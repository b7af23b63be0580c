/** A text as text: links and mentions are elements, everything else is a text node. */

import type { Person } from "@chat/client";
import { mentioning } from "../composer/mentions";
import { linked } from "./links";

type WordsProps = { text: string; members: readonly Person[]; me: string };

export function Words({ text, members, me }: WordsProps) {
  return (
    <p class="words" dir="auto">
      {linked(text).map((part, at) =>
        part.href ? (
          <a key={at} href={part.href} target="_blank" rel="noopener noreferrer nofollow">
            {part.text}
          </a>
        ) : (
          mentioning(part.text, members).map((stretch, within) =>
            stretch.people.length ? (
              <span key={`${at} ${within}`} class={stretch.people.some((one) => one.id === me) ? "mention me" : "mention"}>
                {stretch.text}
              </span>
            ) : (
              stretch.text
            ),
          )
        ),
      )}
    </p>
  );
}
