/** What every page does first: theme, language, and the login that the browser keeps. */

import { start } from "./session/session";
import { chooseLanguage } from "./texts/texts";
import { applyTheme } from "./theme";

export async function begin(render: (root: Element) => void): Promise<void> {
  applyTheme();
  // The login is read while the language loads. Without a server the page shows, and the client tries again.
  const login = start().catch(() => undefined);
  await chooseLanguage();
  const root = document.getElementById("root");
  if (root) render(root);
  await login;
}
