/** Where one writes: the text field with its draft, replies and edits, mentions and addresses of media. */

import type { MessageBody } from "@chat/client";
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useMemo, useState } from "preact/hooks";
import { IconButton } from "../../components/button";
import { attempt } from "../../components/toasts";
import { ended, userId } from "../../session/session";
import { t } from "../../texts/texts";
import type { OpenConversation } from "../timeline/open-conversation";
import { TypingLine } from "../timeline/header";
import { About } from "./about";
import { AttachDialog } from "./attach-dialog";
import { Drafts } from "./drafts";
import { useMentions } from "./use-mentions";
import { Suggestions } from "./suggestions";

/** The server's limit, in characters as it counts them: code points. */
export const LONGEST = 8_000;
const COUNTED_FROM = LONGEST - 500;
const TALLEST = 200;

type ComposerProps = { open: OpenConversation; field: RefObject<HTMLTextAreaElement | null>; onSent: () => void; onMessages: () => void };

export function Composer({ open, field, onSent, onMessages }: ComposerProps) {
  const { live } = open;
  const drafts = useMemo(() => new Drafts(live.me), [live.me]);
  const [draft, setDraft] = useState(() => drafts.get(open.id).text);
  const [edit, setEdit] = useState<{ id: string; text: string } | null>(null);
  const [attaching, setAttaching] = useState(false);
  const editing = open.editing.value;
  // While a message is edited, the draft waits below it.
  const text = !editing ? draft : edit?.id === editing.id ? edit.text : editing.text;
  const setText = (now: string) => (editing ? setEdit({ id: editing.id, text: now }) : setDraft(now));
  const mentions = useMentions(open, field, text, setText);
  const length = [...text].length;

  useRestoredReply(open, drafts);
  useKeptDraft(open, drafts, draft);
  useHeight(field, text);

  const send = async () => {
    const written = text.trim();
    if (!written || length > LONGEST) return;
    if (editing) {
      const saved = written === editing.text || (await attempt(() => live.chat.edit(editing, { text: written })));
      if (saved) cancel();
      return;
    }
    if (await offer({ message_type: "text", text: written })) {
      setDraft("");
      sent("");
    }
  };
  /** Gives a message to the outbox, which may be full. */
  const offer = (body: MessageBody) =>
    attempt(async () => live.chat.send(open.id, { ...body, reply_to: open.replying.value?.seq ?? null }));
  const sent = (left: string) => {
    open.replying.value = null;
    open.caughtUp();
    drafts.set(open.id, { text: left, reply_to: null });
    live.touch(open.id);
    onSent();
    field.current?.focus();
  };
  const cancel = () => {
    setEdit(null);
    open.editing.value = null;
    open.replying.value = null;
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.isComposing || mentions.pressed(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !isTouch()) {
      event.preventDefault();
      void send();
    } else if (event.key === "Escape" && (editing || open.replying.value)) {
      event.preventDefault();
      event.stopPropagation();
      cancel();
    } else if (event.key === "PageUp") {
      event.preventDefault();
      onMessages();
    } else if (event.key === "ArrowUp" && text === "" && !event.shiftKey) {
      const last = open.lastOwn();
      if (!last) return;
      event.preventDefault();
      open.edit(last);
    }
  };
  const written = (event: Event) => {
    const now = (event.currentTarget as HTMLTextAreaElement).value;
    setText(now);
    if (!editing && now.trim()) live.chat.typing(open.id);
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <TypingLine open={open} />
      <About open={open} onCancel={cancel} />
      <Suggestions mentions={mentions} />
      <div class="writing">
        <IconButton icon="image" label={t("chat.attach")} onClick={() => setAttaching(true)} />
        <textarea
          ref={field}
          rows={1}
          value={text}
          dir="auto"
          placeholder={t("chat.write")}
          aria-label={editing ? t("chat.edit_text") : t("chat.write")}
          {...mentions.attributes}
          onInput={written}
          onKeyDown={pressed}
          onKeyUp={mentions.moved}
          onClick={mentions.moved}
          onBlur={mentions.close}
        />
        <IconButton type="submit" icon={editing ? "check" : "send"} label={editing ? t("save") : t("chat.send")} aria-disabled={!text.trim() || length > LONGEST} />
      </div>
      {length > COUNTED_FROM && (
        <p class={length > LONGEST ? "length wrong" : "length"} role="status">
          {length > LONGEST ? t("chat.too_long", { count: length - LONGEST }) : t("chat.left", { count: LONGEST - length })}
        </p>
      )}
      {attaching && (
        <AttachDialog
          onClose={() => setAttaching(false)}
          onChosen={(message_type, media_url) => {
            void offer({ message_type, media_url }).then((taken) => taken && sent(draft));
          }}
        />
      )}
    </form>
  );
}

/** After a reload, the message that the draft replies to. */
function useRestoredReply(open: OpenConversation, drafts: Drafts): void {
  useEffect(() => {
    const { reply_to } = drafts.get(open.id);
    if (reply_to === null || open.replying.value) return;
    const held = open.live.chat.messages(open.id).find((one) => one.seq === reply_to);
    if (held && !held.deleted_at) open.replying.value = held;
  }, [open, open.loaded.value]);
}

function useKeptDraft(open: OpenConversation, drafts: Drafts, text: string): void {
  const reply_to = open.replying.value?.seq ?? null;
  useEffect(() => {
    const keep = () => {
      // A logout has just removed the user's texts; a login that ended elsewhere keeps them.
      if (userId.peek() === open.live.me || ended.peek()) drafts.set(open.id, { text, reply_to });
    };
    const timer = setTimeout(keep, KEPT_AFTER_MS);
    addEventListener("pagehide", keep);
    return () => {
      clearTimeout(timer);
      removeEventListener("pagehide", keep);
      keep();
    };
  }, [open, text, reply_to]);
}

const KEPT_AFTER_MS = 300;

/** As high as its text, up to a limit. */
function useHeight(field: RefObject<HTMLTextAreaElement | null>, text: string): void {
  useLayoutEffect(() => {
    const area = field.current;
    if (!area) return;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, TALLEST)}px`;
  }, [text]);
}

/** On a screen keyboard Enter makes a line; the button sends. */
function isTouch(): boolean {
  return matchMedia("(pointer: coarse)").matches && !matchMedia("(any-pointer: fine)").matches;
}
