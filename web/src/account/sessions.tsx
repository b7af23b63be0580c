/** The logins of the account, and a button that ends one. */

import type { RestTypes } from "@chat/client";
import { useState } from "preact/hooks";
import { Button } from "../components/button";
import { Icon } from "../components/icon";
import { Loaded, useLoaded } from "../components/loaded";
import { attempt, toast } from "../components/toasts";
import { chat, logOut } from "../session/session";
import { dateAndTime } from "../texts/dates";
import { t } from "../texts/texts";
import { Part } from "./part";
import { programOf } from "./program";

type Login = RestTypes["schemas"]["Login"];
type Page = RestTypes["schemas"]["LoginPage"];

export function Sessions() {
  const [logins, setLogins] = useState<readonly Login[]>([]);
  const page = useLoaded(async () => {
    const found = await read();
    setLogins(found.items);
    return { next: found.next };
  });
  const end = (login: Login) =>
    attempt(async () => {
      if (login.current) return logOut();
      await chat.request("DELETE", `/sessions/${login.id}/`);
      setLogins((before) => before.filter((one) => one.id !== login.id));
      toast(t("sessions.ended"));
    });

  return (
    <Part title={t("sessions.title")} intro={t("sessions.intro")}>
      <Loaded of={page}>
        {({ next }) => (
          <>
            <ul class="rows">
              {logins.map((login) => (
                <Row key={login.id} login={login} end={() => end(login)} />
              ))}
            </ul>
            {next && (
              <Button
                onClick={() =>
                  void attempt(async () => {
                    const found = await read(next);
                    setLogins((before) => [...before, ...found.items]);
                    page.set({ next: found.next });
                  })
                }
              >
                {t("more")}
              </Button>
            )}
          </>
        )}
      </Loaded>
    </Part>
  );
}

function read(cursor?: string): Promise<Page> {
  return chat.request<Page>("GET", "/sessions/", { query: { cursor, limit: 20 } });
}

function Row({ login, end }: { login: Login; end: () => Promise<boolean> }) {
  const [busy, setBusy] = useState(false);
  const program = programOf(login.user_agent) || t("sessions.unknown");
  return (
    <li>
      <Icon name="monitor" />
      <div class="grow">
        <p class="strong">
          {program} {login.current && <span class="badge strong">{t("sessions.current")}</span>}
        </p>
        <p class="muted small">{t("sessions.where", { address: login.address, time: dateAndTime(login.last_used_at) })}</p>
      </div>
      <Button
        busy={busy}
        onClick={async () => {
          setBusy(true);
          await end();
          setBusy(false);
        }}
        aria-label={`${login.current ? t("log_out") : t("sessions.end")}: ${program}, ${login.address}`}
      >
        {login.current ? t("log_out") : t("sessions.end")}
      </Button>
    </li>
  );
}
