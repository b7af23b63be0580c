/** Dates and times as the user's language writes them. Arguments are RFC 3339 times, as the API sends them. */

import { t, language } from "./texts";

/** A timeline asks for hundreds of times in one frame, and a format costs as much as thousands of its uses. */
const formats = new Map<string, Intl.DateTimeFormat>();

function format(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  // The browser's own variant of the language: British users have no "PM".
  const variant = navigator.languages.find((tag) => tag.split("-")[0] === language.value) ?? language.value;
  const key = variant + JSON.stringify(options);
  const known = formats.get(key) ?? new Intl.DateTimeFormat(variant, options);
  formats.set(key, known);
  return known;
}

export function dateAndTime(at: string): string {
  return format({ dateStyle: "medium", timeStyle: "short" }).format(new Date(at));
}

export function timeOf(at: string): string {
  return format({ timeStyle: "short" }).format(new Date(at));
}

/** To the second: when a throttled message goes, for example. Milliseconds since 1970. */
export function timeWithSeconds(at: number): string {
  return format({ timeStyle: "medium" }).format(new Date(at));
}

/** "Today", "Yesterday", or the date; with the year if it is another one. */
export function dayOf(at: string, now: Date = new Date()): string {
  const day = new Date(at);
  const days = Math.round((startOf(now).getTime() - startOf(day).getTime()) / 86_400_000);
  if (days === 0) return t("date.today");
  if (days === 1) return t("date.yesterday");
  const year = day.getFullYear() === now.getFullYear() ? {} : { year: "numeric" as const };
  return format({ weekday: "long", day: "numeric", month: "long", ...year }).format(day);
}

/** The time today, the weekday within a week, else the date: short enough for a list. */
export function briefly(at: string, now: Date = new Date()): string {
  const day = new Date(at);
  const days = Math.round((startOf(now).getTime() - startOf(day).getTime()) / 86_400_000);
  if (days <= 0) return timeOf(at);
  if (days < 7) return format({ weekday: "short" }).format(day);
  return format({ dateStyle: "short" }).format(day);
}

function startOf(day: Date): Date {
  return new Date(day.getFullYear(), day.getMonth(), day.getDate());
}
