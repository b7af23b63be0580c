/** Dates and times as the user's language writes them. Arguments are RFC 3339 times, as the API sends them. */

import { t, language } from "./texts";

export function dateAndTime(at: string): string {
  return new Intl.DateTimeFormat(language.value, { dateStyle: "medium", timeStyle: "short" }).format(new Date(at));
}

export function timeOf(at: string): string {
  return new Intl.DateTimeFormat(language.value, { timeStyle: "short" }).format(new Date(at));
}

/** "Today", "Yesterday", or the date; with the year if it is another one. */
export function dayOf(at: string, now: Date = new Date()): string {
  const day = new Date(at);
  const days = Math.round((startOf(now).getTime() - startOf(day).getTime()) / 86_400_000);
  if (days === 0) return t("date.today");
  if (days === 1) return t("date.yesterday");
  const year = day.getFullYear() === now.getFullYear() ? {} : { year: "numeric" as const };
  return new Intl.DateTimeFormat(language.value, { weekday: "long", day: "numeric", month: "long", ...year }).format(day);
}

/** The time today, the weekday within a week, else the date: short enough for a list. */
export function briefly(at: string, now: Date = new Date()): string {
  const day = new Date(at);
  const days = Math.round((startOf(now).getTime() - startOf(day).getTime()) / 86_400_000);
  if (days <= 0) return timeOf(at);
  if (days < 7) return new Intl.DateTimeFormat(language.value, { weekday: "short" }).format(day);
  return new Intl.DateTimeFormat(language.value, { dateStyle: "short" }).format(day);
}

function startOf(day: Date): Date {
  return new Date(day.getFullYear(), day.getMonth(), day.getDate());
}
