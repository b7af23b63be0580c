/**
 * The sentences of the page. `en.ts` declares the keys; every other language has the same ones, which the compiler
 * checks. A text may have `{names}`, which `t` requires. With `count`, `key.one` and `key.other` make one text.
 */

import { signal } from "@preact/signals";
import { en } from "./en";

export type Catalogue = Readonly<Record<keyof typeof en, string>>;
export type Language = "en" | "de";

type Whole = keyof typeof en;
type Counted<K> = K extends `${infer Base}.other` ? Base : never;
export type Key = Exclude<Whole, `${Counted<Whole>}.one` | `${Counted<Whole>}.other`> | Counted<Whole>;

type Names<S> = S extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;
type TextOf<K extends Key> = K extends Whole ? (typeof en)[K] : `${K}.other` extends Whole ? (typeof en)[`${K}.other`] : never;
type Given<K extends Key> = { [Name in Names<TextOf<K>>]: string | number };
type Arguments<K extends Key> = [Names<TextOf<K>>] extends [never] ? [given?: Record<string, never>] : [given: Given<K>];

const OTHERS: Readonly<Record<Exclude<Language, "en">, () => Promise<Catalogue>>> = {
  de: async () => (await import("./de")).de,
};
export const LANGUAGES: Readonly<Record<Language, string>> = { en: "English", de: "Deutsch" };
const KEY = "chat.language";

export const language = signal<Language>("en");
const catalogue = signal<Catalogue>(en);

export function t<K extends Key>(key: K, ...[given]: Arguments<K>): string {
  const values = (given ?? {}) as Readonly<Record<string, string | number>>;
  return filled(found(key, values["count"]), values);
}

export function has(key: string): boolean {
  return key in en;
}

function found(key: string, count: string | number | undefined): string {
  const texts = catalogue.value as Readonly<Record<string, string>>;
  if (key in texts) return texts[key] ?? key;
  const form = new Intl.PluralRules(language.value).select(Number(count));
  return texts[`${key}.${form}`] ?? texts[`${key}.other`] ?? key;
}

function filled(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name] ?? "";
    return typeof value === "number" ? value.toLocaleString(language.value) : value;
  });
}

/** Loads the language that the user chose, or else the first of the browser's that there is. */
export async function chooseLanguage(): Promise<void> {
  await use(chosenLanguage() ?? preferred(navigator.languages));
}

/** The user's choice; null follows the browser. */
export function chosenLanguage(): Language | null {
  const kept = localStorage.getItem(KEY) ?? "";
  return kept in LANGUAGES ? (kept as Language) : null;
}

export async function changeLanguage(choice: Language | null): Promise<void> {
  if (choice) localStorage.setItem(KEY, choice);
  else localStorage.removeItem(KEY);
  await chooseLanguage();
}

export function preferred(languages: readonly string[]): Language {
  const known = languages.map((tag) => tag.toLowerCase().split("-")[0] ?? "").find((tag) => tag in LANGUAGES);
  return (known as Language | undefined) ?? "en";
}

async function use(chosen: Language): Promise<void> {
  const texts = chosen === "en" ? en : await OTHERS[chosen]();
  catalogue.value = texts;
  language.value = chosen;
  document.documentElement.lang = chosen;
}
