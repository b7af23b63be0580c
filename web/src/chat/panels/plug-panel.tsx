/** In development: stops Redis or the API for some seconds, to see that nothing is lost. */

import type { Chat } from "@chat/client";
import { useEffect, useState } from "preact/hooks";
import { Button } from "../../components/button";
import { Icon } from "../../components/icon";
import { attempt } from "../../components/toasts";
import { user } from "../../session/session";
import { t } from "../../texts/texts";

type Part = "redis" | "api";
type Development = { plug: Part[] };

const SECONDS = 10;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** What may be stopped here; nothing except in development. */
export function usePlug(chat: Chat): readonly Part[] {
  const [parts, setParts] = useState<readonly Part[]>([]);
  useEffect(() => {
    // Embedded servers are reached at this machine only. Elsewhere the question would put a 404 into every console.
    if (!LOOPBACK.test(location.hostname) || user.value?.is_operator === false) return;
    const asking = new AbortController();
    chat.request<Development>("GET", "/development/", { signal: asking.signal }).then(
      (found) => asking.signal.aborted || setParts(found.plug),
      () => undefined, // 404: this is no development.
    );
    return () => asking.abort();
  }, [chat]);
  return parts;
}

export function PlugPanel({ chat, parts }: { chat: Chat; parts: readonly Part[] }) {
  const [pulled, setPulled] = useState<{ part: Part; until: number } | null>(null);
  const [now, setNow] = useState(Date.now());
  const left = pulled ? Math.max(0, Math.ceil((pulled.until - now) / 1000)) : 0;

  useEffect(() => {
    if (!pulled) return;
    const timer = setInterval(() => {
      setNow(Date.now());
      if (Date.now() >= pulled.until) setPulled(null);
    }, 250);
    return () => clearInterval(timer);
  }, [pulled]);

  const pull = (part: Part) =>
    attempt(async () => {
      await chat.request("POST", "/development/plug/", { body: { part, seconds: SECONDS } });
      setNow(Date.now());
      setPulled({ part, until: Date.now() + SECONDS * 1000 });
    });
  return (
    <section class="plug" aria-label={t("chat.plug")}>
      <Icon name="plug" size={18} />
      <div role="status" class="plug-words">
        {pulled && left > 0 ? t(pulled.part === "api" ? "chat.api_away" : "chat.redis_away", { count: left }) : <span class="muted">{t("chat.plug")}</span>}
      </div>
      {!(pulled && left > 0) &&
        parts.map((part) => (
          <Button key={part} onClick={() => void pull(part)}>
            {part === "api" ? t("chat.pull_api") : t("chat.pull_redis")}
          </Button>
        ))}
    </section>
  );
}
