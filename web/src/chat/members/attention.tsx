/** Of what in this conversation the user is notified. */

import type { Chat } from "@chat/client";
import { Button } from "../../components/button";
import { Checkbox, Choice } from "../../components/choice";
import { Loaded, useLoaded } from "../../components/loaded";
import { Menu } from "../../components/menu";
import { attempt } from "../../components/toasts";
import { dateAndTime } from "../../texts/dates";
import { t } from "../../texts/texts";

type Level = "all" | "mentions" | "none";
type Wanted = { level: Level; muted_until: string | null; mails: boolean };

const HOUR_MS = 3_600_000;

export function Attention({ chat, conversation }: { chat: Chat; conversation: string }) {
  const path = `/conversations/${conversation}/notifications/`;
  const found = useLoaded(() => chat.request<Wanted>("GET", path), [path]);
  return (
    <section class="details-part">
      <Loaded of={found}>
        {(wanted) => (
          <Preferences
            wanted={wanted}
            change={async (changed) => {
              await attempt(async () => found.set(await chat.request<Wanted>("PUT", path, { body: { ...wanted, ...changed } })));
            }}
          />
        )}
      </Loaded>
    </section>
  );
}

type PreferencesProps = { wanted: Wanted; change: (changed: Partial<Wanted>) => Promise<void> };

function Preferences({ wanted, change }: PreferencesProps) {
  const muted = wanted.muted_until !== null && Date.parse(wanted.muted_until) > Date.now() ? wanted.muted_until : null;
  const mute = (hours: number) => void change({ muted_until: new Date(Date.now() + hours * HOUR_MS).toISOString() });
  return (
    <>
      <Choice
        legend={t("chat.notify_me")}
        name="level"
        value={wanted.level}
        options={[
          { value: "all", label: t("chat.level_all") },
          { value: "mentions", label: t("chat.level_mentions") },
          { value: "none", label: t("chat.level_none") },
        ]}
        onChange={(level) => void change({ level })}
      />
      <Checkbox name="mails" label={t("chat.mails")} checked={wanted.mails} onChange={(mails) => void change({ mails })} />
      {muted ? (
        <p class="muted-until">
          <span>{t("chat.muted_until", { time: dateAndTime(muted) })}</span>
          <Button look="quiet" onClick={() => void change({ muted_until: null })}>
            {t("chat.unmute")}
          </Button>
        </p>
      ) : (
        <Menu
          label={t("chat.mute")}
          place="left"
          items={[
            { label: t("chat.mute_hour"), onSelect: () => mute(1) },
            { label: t("chat.mute_day"), onSelect: () => mute(24) },
            { label: t("chat.mute_week"), onSelect: () => mute(7 * 24) },
          ]}
        >
          {t("chat.mute")}
        </Menu>
      )}
    </>
  );
}
