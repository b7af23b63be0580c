/** The frame of the pages without a login. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { appName } from "../session/addresses";
import { t } from "../texts/texts";
import { LanguageMenu } from "./languages";

type GuestPageProps = { title: string; intro?: string; children: ComponentChildren; below?: ComponentChildren };

export function GuestPage({ title, intro, children, below }: GuestPageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · ${appName}`;
    // A page that replaces another is announced by its heading, unless it has a field to begin with.
    if (!document.activeElement || document.activeElement === document.body) heading.current?.focus();
  }, [title]);

  return (
    <div class="guest">
      <main>
        <div class="brand">
          <Logo />
          <span>{appName}</span>
        </div>
        <div class="card">
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
          {intro && <p class="muted">{intro}</p>}
          {children}
        </div>
        {below && <nav aria-label={t("guest.further")} class="below">{below}</nav>}
      </main>
      <footer>
        <LanguageMenu />
      </footer>
    </div>
  );
}

export function Logo() {
  return (
    <svg width="36" height="36" viewBox="0 0 512 512" aria-hidden="true" class="logo">
      <rect width="512" height="512" rx="116" />
      <path d="M152 132h208a44 44 0 0 1 44 44v124a44 44 0 0 1-44 44H246l-78 62a9 9 0 0 1-14.6-7v-55h-1.4a44 44 0 0 1-44-44V176a44 44 0 0 1 44-44z" />
      <circle cx="184" cy="238" r="22" />
      <circle cx="256" cy="238" r="22" />
      <circle cx="328" cy="238" r="22" />
    </svg>
  );
}
