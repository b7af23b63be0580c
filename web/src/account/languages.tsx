import { Icon } from "../components/icon";
import { Menu } from "../components/menu";
import { LANGUAGES, changeLanguage, language, t, type Language } from "../texts/texts";

/** The choice of a language, by the names that the languages have in themselves. */
export function LanguageMenu() {
  const items = (Object.keys(LANGUAGES) as Language[]).map((one) => ({
    label: LANGUAGES[one],
    checked: one === language.value,
    onSelect: () => void changeLanguage(one),
  }));
  return (
    <Menu label={`${t("language.title")}: ${LANGUAGES[language.value]}`} items={items} place="left up">
      <Icon name="globe" size={18} />
      {LANGUAGES[language.value]}
    </Menu>
  );
}
