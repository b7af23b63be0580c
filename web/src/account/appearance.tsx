/** Theme and language of this browser. */

import { useState } from "preact/hooks";
import { Choice } from "../components/choice";
import { LANGUAGES, changeLanguage, chosenLanguage, t, type Language } from "../texts/texts";
import { changeTheme, chosenTheme, type Theme } from "../theme";
import { Part } from "./part";

export function Appearance() {
  return (
    <>
      <Themes />
      <Languages />
    </>
  );
}

function Themes() {
  const [theme, setTheme] = useState<Theme>(chosenTheme());
  const options = [
    { value: "system" as const, label: t("theme.system") },
    { value: "light" as const, label: t("theme.light") },
    { value: "dark" as const, label: t("theme.dark") },
  ];
  return (
    <Part title={t("theme.title")}>
      <Choice
        legend={t("theme.legend")}
        name="theme"
        value={theme}
        options={options}
        onChange={(chosen) => {
          changeTheme(chosen);
          setTheme(chosen);
        }}
      />
    </Part>
  );
}

function Languages() {
  const [chosen, setChosen] = useState<Language | "browser">(chosenLanguage() ?? "browser");
  const options = [
    { value: "browser" as const, label: t("language.browser") },
    ...(Object.keys(LANGUAGES) as Language[]).map((value) => ({ value, label: LANGUAGES[value] })),
  ];
  return (
    <Part title={t("language.title")} intro={t("language.intro")}>
      <Choice
        legend={t("language.legend")}
        name="language"
        value={chosen}
        options={options}
        onChange={(value) => {
          setChosen(value);
          void changeLanguage(value === "browser" ? null : value);
        }}
      />
    </Part>
  );
}
