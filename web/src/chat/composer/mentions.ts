/** Mentions in a text, by the server's rule: `@First`, or `@First Last`, at the beginning or after a space or bracket. */

import type { Person } from "@chat/client";

export type Stretch = { text: string; people: Person[] };

const NAMED =
  /(?<![\p{L}\p{N}_@.])@([^\s@,;:!?()[\]{}<>|"]{1,40})(?: ([^\s@,;:!?()[\]{}<>|"]{1,40}))?/gu;
const AROUND = /[.'’]+$/;
const MOST_SUGGESTED = 8;

export function normal(text: string): string {
  return text.normalize("NFC").toLowerCase();
}

/** The text in stretches; those with `people` mention them. Only members are mentioned. */
export function mentioning(text: string, members: readonly Person[]): Stretch[] {
  if (!text.includes("@")) return [{ text, people: [] }];
  const stretches: Stretch[] = [];
  let from = 0;
  for (const match of text.matchAll(NAMED)) {
    const found = named(match, members);
    if (!found) continue;
    if (match.index > from) stretches.push({ text: text.slice(from, match.index), people: [] });
    stretches.push(found);
    from = match.index + found.text.length;
  }
  if (from < text.length) stretches.push({ text: text.slice(from), people: [] });
  return stretches;
}

function named(match: RegExpMatchArray, members: readonly Person[]): Stretch | null {
  const first = (match[1] ?? "").replace(AROUND, "");
  const second = first === match[1] ? (match[2] ?? "").replace(AROUND, "") : "";
  const both = second && `${first} ${second}`;
  const byBoth = both ? members.filter((one) => normal(fullName(one)) === normal(both) || normal(one.first_name) === normal(both)) : [];
  if (byBoth.length) return { text: `@${both}`, people: byBoth };
  const byFirst = members.filter((one) => normal(one.first_name) === normal(first));
  return byFirst.length ? { text: `@${first}`, people: byFirst } : null;
}

/** What stands between an `@` and the caret, or null if the caret is not in a mention. */
export function prefixAt(text: string, caret: number): { from: number; prefix: string } | null {
  const found = /(?:^|[^\p{L}\p{N}_@.])@([^\s@]{0,40}(?: [^\s@]{0,40})?)$/u.exec(text.slice(0, caret));
  const prefix = found?.[1];
  return prefix === undefined ? null : { from: caret - prefix.length - 1, prefix };
}

/** The members whose first name, last name or both begin with the prefix. */
export function suggested(prefix: string, members: readonly Person[]): Person[] {
  const wanted = normal(prefix);
  const byFirst: Person[] = [];
  const byLast: Person[] = [];
  for (const one of members) {
    if (normal(fullName(one)).startsWith(wanted)) byFirst.push(one);
    else if (normal(one.last_name).startsWith(wanted)) byLast.push(one);
  }
  return [...byFirst, ...byLast].slice(0, MOST_SUGGESTED);
}

/** The words that mention a person: both names where each is one word, because the server reads two words. */
export function mentionOf(person: Person): string {
  const oneWord = (name: string) => name !== "" && !/[\s,;:!?()[\]{}<>|"@]/.test(name);
  return oneWord(person.first_name) && oneWord(person.last_name) ? `@${fullName(person)}` : `@${person.first_name}`;
}

export function fullName(person: Person): string {
  return `${person.first_name} ${person.last_name}`.trim();
}
