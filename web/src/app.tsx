/** Chooses the page: those of an account, or the chat. */

import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { Forgotten, Resend } from "./account/mail-requests";
import { LogIn } from "./account/log-in";
import { FirstLogin } from "./account/first-login";
import { Invited, Register } from "./account/register";
import { ChatPage } from "./chat/chat-page";
import { Settings } from "./account/settings";
import { Spinner } from "./components/spinner";
import { Toasts } from "./components/toasts";
import { replace, route } from "./router";
import { started, user } from "./session/session";
import { t } from "./texts/texts";

export function App() {
  return (
    <>
      {page()}
      <Toasts />
    </>
  );
}

function page(): ComponentChildren {
  if (!started.value) return <Starting />;
  const [name = "", argument = ""] = route.value;
  if (user.value) {
    if (name === "settings") return <Settings section={argument} />;
    return name in GUEST_PAGES ? <Redirect /> : <ChatPage />;
  }
  return GUEST_PAGES[name]?.(argument) ?? <LogIn />;
}

/** Pages without a login. All other routes show the login page, and follow once the user is logged in. */
const GUEST_PAGES: Readonly<Record<string, (argument: string) => ComponentChildren>> = {
  login: () => <LogIn />,
  register: () => <Register />,
  forgot: () => <Forgotten />,
  resend: () => <Resend />,
  invite: (token) => <Invited token={token} />,
  first: (token) => <FirstLogin token={token} />,
};

function Starting() {
  return (
    <div class="centre">
      <Spinner label={t("loading")} large />
    </div>
  );
}

function Redirect() {
  useEffect(() => replace(), []);
  return null;
}
