/** An image, sound or film at an address outside. It is asked for without a referrer, and can fail. */

import type { Message } from "@chat/client";
import { useState } from "preact/hooks";
import { t } from "../../texts/texts";
import { Icon } from "../../components/icon";
import { addressOf } from "./links";

type MediaProps = { kind: Message["message_type"]; address: string };

export function Media({ kind, address }: MediaProps) {
  const href = addressOf(address);
  const [failed, setFailed] = useState(false);
  if (href === null) return <p class="words">{address}</p>;
  if (failed) return <Unavailable href={href} />;
  const lost = () => setFailed(true);
  if (kind === "audio") return <audio class="media" controls preload="none" src={href} onError={lost} aria-label={t("chat.audio")} />;
  if (kind === "video") {
    return <video class="media seen" controls preload="metadata" playsInline src={href} onError={lost} aria-label={t("chat.video")} />;
  }
  return (
    <a class="media seen" href={href} target="_blank" rel="noopener noreferrer nofollow">
      <img src={href} alt={t("chat.image_at", { host: new URL(href).host })} loading="lazy" referrerpolicy="no-referrer" onError={lost} />
    </a>
  );
}

function Unavailable({ href }: { href: string }) {
  return (
    <p class="unavailable">
      <Icon name="file" size={18} />
      <span>
        {t("chat.media_unavailable")}{" "}
        <a href={href} target="_blank" rel="noopener noreferrer nofollow">
          {href}
        </a>
      </span>
    </p>
  );
}
