/** The settings of the own account, one section at a time. */

import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { Button } from "../components/button";
import { Icon, type IconName } from "../components/icon";
import { href } from "../router";
import { appName } from "../session/addresses";
import { logOut } from "../session/session";
import { t, type Key } from "../texts/texts";
import { Appearance } from "./appearance";
import { Profile } from "./profile";
import { Security } from "./security";
import { Sessions } from "./sessions";

type Section = { name: string; title: Key & `settings.${string}`; icon: IconName; page: () => ComponentChildren };

const SECTIONS: readonly Section[] = [
  { name: "profile", title: "settings.profile", icon: "user", page: () => <Profile /> },
  { name: "security", title: "settings.security", icon: "shield", page: () => <Security /> },
  { name: "sessions", title: "settings.sessions", icon: "devices", page: () => <Sessions /> },
  { name: "appearance", title: "settings.appearance", icon: "sun", page: () => <Appearance /> },
];

export function Settings({ section }: { section: string }) {
  const shown = SECTIONS.find((one) => one.name === section) ?? SECTIONS[0];
  const title = shown ? t(shown.title) : "";
  useEffect(() => {
    document.title = `${title} · ${appName}`;
  }, [title]);

  return (
    <div class="settings">
      <header>
        <a class="button icon" href={href()} aria-label={t("settings.back")} title={t("settings.back")}>
          <Icon name="back" />
        </a>
        <h1>{t("settings.title")}</h1>
      </header>
      <nav aria-label={t("settings.title")}>
        {SECTIONS.map((one) => (
          <a key={one.name} href={href("settings", one.name)} aria-current={one === shown ? "page" : undefined}>
            <Icon name={one.icon} />
            {t(one.title)}
          </a>
        ))}
        <Button look="quiet" icon="log_out" onClick={() => void logOut().catch(() => undefined)}>
          {t("log_out")}
        </Button>
      </nav>
      <main key={shown?.name}>
        <h2 class="title">{title}</h2>
        {shown?.page()}
      </main>
    </div>
  );
}
