/** The link that a local chat prints when it starts. It logs in the first operator, once. */

import type { Pair } from "@chat/client";
import { Loaded, useLoaded } from "../components/loaded";
import { replace } from "../router";
import { adopt, chat } from "../session/session";
import { t } from "../texts/texts";
import { LogInLink } from "./guest-links";
import { GuestPage } from "./guest-page";

export function FirstLogin({ token }: { token: string }) {
  const login = useLoaded(async () => {
    await adopt(await chat.request<Pair>("POST", "/first-login/", { body: { token } }));
    // "Welcome" is the only conversation of a new operator.
    const { items } = await chat.request<{ items: { id: string }[] }>("GET", "/conversations/", { query: { limit: 1 } });
    if (items[0]) replace("c", items[0].id);
    else replace();
    return true;
  }, [token]);
  return (
    <GuestPage title={t("first.title")} intro={t("first.intro")} below={<LogInLink />}>
      <Loaded of={login}>{() => null}</Loaded>
    </GuestPage>
  );
}
