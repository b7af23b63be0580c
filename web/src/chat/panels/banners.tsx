/** Lines across the page: the state of the connection, and announcements of the operators. */

import { useEffect, useState } from "preact/hooks";
import { Banner } from "../../components/banner";
import { state } from "../../session/session";
import { t } from "../../texts/texts";
import { dateAndTime } from "../../texts/dates";
import type { Live } from "../live/live";

/** A reconnect that takes less than this is not worth a line. */
const PATIENCE_MS = 1_200;

export function Banners({ live }: { live: Live }) {
  return (
    <div class="banners">
      <Connection live={live} />
      {live.broadcasts.open.value.map((one) => (
        <Banner key={one.id} icon="megaphone" onClose={() => live.broadcasts.close(one.id)}>
          <strong>
            <bdi>{one.title}</bdi>
          </strong>{" "}
          <bdi>{one.text}</bdi> <time class="muted small" dateTime={one.sent_at}>{dateAndTime(one.sent_at)}</time>
        </Banner>
      ))}
    </div>
  );
}

function Connection({ live }: { live: Live }) {
  const away = state.value === "offline" || state.value === "connecting";
  const [shown, show] = useState(false);

  useEffect(() => {
    if (!away) return show(false);
    const timer = setTimeout(() => show(true), navigator.onLine ? PATIENCE_MS : 0);
    return () => clearTimeout(timer);
  }, [away]);

  if (live.refused.value) return <Banner kind="danger" icon="alert">{live.refused.value === "suspended" ? t("chat.suspended") : t("chat.refused")}</Banner>;
  if (!shown || !away) return null;
  if (live.crowded.value) return <Banner kind="warning" icon="devices">{t("chat.too_many_sockets")}</Banner>;
  const waiting = live.waiting();
  return (
    <Banner kind="warning" icon="plug">
      {t("chat.offline")} {waiting > 0 && t("chat.offline_waiting", { count: waiting })}
    </Banner>
  );
}
