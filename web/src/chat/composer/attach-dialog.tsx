/** Sends an image, sound or film that is already on the web, by its address. */

import { useState } from "preact/hooks";
import { Choice } from "../../components/choice";
import { Dialog } from "../../components/dialog";
import { Field } from "../../components/field";
import { Form } from "../../components/form";
import { t } from "../../texts/texts";
import { addressOf } from "../timeline/links";
import { Media } from "../timeline/media";

type Kind = "image" | "audio" | "video";
type AttachProps = { onClose: () => void; onChosen: (kind: Kind, address: string) => void };

const SCHEME = "https://";
const ENDINGS: Readonly<Record<Kind, RegExp>> = {
  audio: /\.(mp3|m4a|aac|oga|ogg|opus|wav|flac)$/i,
  video: /\.(mp4|m4v|webm|mov|ogv)$/i,
  image: /\.(avif|gif|jpe?g|png|svg|webp)$/i,
};

export function AttachDialog({ onClose, onChosen }: AttachProps) {
  const [address, setAddress] = useState("");
  const [chosen, setChosen] = useState<Kind | null>(null);
  const [wrong, setWrong] = useState("");
  const href = addressOf(address.trim());
  const kind = chosen ?? kindOf(href) ?? "image";
  return (
    <Dialog title={t("chat.attach")} onClose={onClose}>
      <Form
        submit={t("chat.send")}
        action={() => {
          if (href === null) return setWrong(t("chat.https_only"));
          onChosen(kind, address.trim());
          onClose();
        }}
      >
        <Field
          name="media_url"
          label={t("chat.address")}
          hint={t("chat.address_hint")}
          error={wrong || undefined}
          inputMode="url"
          autoComplete="off"
          maxLength={2048}
          placeholder={SCHEME}
          value={address}
          onInput={(event) => {
            setAddress(event.currentTarget.value);
            setWrong("");
          }}
        />
        <Choice
          legend={t("chat.kind")}
          name="message_type"
          value={kind}
          options={[
            { value: "image", label: t("chat.image") },
            { value: "audio", label: t("chat.audio") },
            { value: "video", label: t("chat.video") },
          ]}
          onChange={setChosen}
        />
        {href !== null && (
          <div class="preview">
            <Media key={`${kind} ${href}`} kind={kind} address={href} />
          </div>
        )}
      </Form>
    </Dialog>
  );
}

function kindOf(href: string | null): Kind | null {
  if (href === null) return null;
  const { pathname } = new URL(href);
  return (Object.keys(ENDINGS) as Kind[]).find((kind) => ENDINGS[kind].test(pathname)) ?? null;
}
