/** A conversation: its header, its timeline and where one writes. */

import type { Message } from "@chat/client";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Confirm } from "../../components/dialog";
import { Icon } from "../../components/icon";
import { Spinner } from "../../components/spinner";
import { toast } from "../../components/toasts";
import { t } from "../../texts/texts";
import { Composer } from "../composer/composer";
import { excerpt, titleOf } from "../words";
import { Header } from "./header";
import type { Item } from "./items";
import { Beginning, DayLine, Membership, NewLine } from "./lines";
import { MessageRow, type Acts } from "./message-row";
import type { OpenConversation } from "./open-conversation";
import { PendingRow } from "./pending-row";
import { Scroller } from "./scroller";
import { SeenBy } from "./seen-by";

const MARKED_MS = 2_500;
const MOST_FRAMES = 60;

const nextFrame = () => new Promise((done) => requestAnimationFrame(done));

type ViewProps = { open: OpenConversation; details: boolean; onDetails: () => void };

export function ConversationView({ open, details, onDetails }: ViewProps) {
  const scroller = useRef<Scroller>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const [removing, setRemoving] = useState<Message | null>(null);
  const [shown, setShown] = useState<Message | null>(null);
  const row = open.row.value;
  const items = open.items.value;

  const jump = async (seq: number) => {
    const key = await open.reach(seq);
    if (key === null) return toast(t("chat.not_reached"), "warning");
    // The rows of what was loaded exist after a render.
    for (let frame = 0; frame < MOST_FRAMES && !scroller.current?.show(key); frame += 1) await nextFrame();
    open.marked.value = key;
    setTimeout(() => {
      if (open.marked.value === key) open.marked.value = null;
    }, MARKED_MS);
  };
  const acts = useMemo<Acts>(
    () => ({
      jump: (seq) => void jump(seq),
      remove: (item) => setRemoving(item.message),
      details: (item) => setShown(item.message),
      write: () => field.current?.focus(),
    }),
    [open],
  );

  useFirstPlace(open, scroller);
  useSeenWhenVisible(open);
  useEffect(() => {
    if (matchMedia("(hover: hover)").matches) field.current?.focus();
  }, [open]);

  if (!row) return null;
  const title = titleOf(row);
  const drawn = (item: Item) => <Drawn key={item.key} item={item} open={open} acts={acts} title={title} direct={row.kind === "direct"} />;
  return (
    <section class="conversation" aria-label={title}>
      <Header open={open} row={row} details={details} onDetails={onDetails} />
      <div class="timeline-frame" onKeyDown={(event) => walked(event, scroller.current, field.current)}>
        {!open.loaded.value && (
          <div class="centre">
            <Spinner large label={t("loading")} />
          </div>
        )}
        {open.loaded.value && (
          <Scroller
            handle={scroller}
            items={items}
            row={drawn}
            label={t("chat.messages_in", { title })}
            onNearBeginning={() => void open.older()}
            onMoved={(atEnd, last) => {
              open.atEnd.value = atEnd;
              if (last?.kind === "message") open.viewed(last.message.seq);
              else if (atEnd) open.viewed(row.last_seq);
            }}
          />
        )}
        <ToNewest open={open} onClick={() => scroller.current?.toEnd()} />
      </div>
      <Composer key={open.id} open={open} field={field} onSent={() => scroller.current?.toEnd()} onMessages={() => scroller.current?.step(-1)} />
      {removing && (
        <Confirm title={t("chat.delete_title")} confirm={t("chat.delete")} action={() => open.live.chat.delete(removing)} onClose={() => setRemoving(null)}>
          <p>{t("chat.delete_question")}</p>
          <blockquote class="quoted-text" dir="auto">
            {excerpt(removing)}
          </blockquote>
        </Confirm>
      )}
      {shown && <SeenBy message={shown} live={open.live} onClose={() => setShown(null)} />}
    </section>
  );
}

type DrawnProps = { item: Item; open: OpenConversation; acts: Acts; title: string; direct: boolean };

function Drawn({ item, open, acts, title, direct }: DrawnProps) {
  switch (item.kind) {
    case "message":
      return <MessageRow item={item} open={open} acts={acts} direct={direct} />;
    case "pending":
      return <PendingRow itemKey={item.key} pending={item.pending} first={item.first} open={open} onJump={acts.jump} />;
    default:
      return (
        <div class="between" data-key={item.key}>
          {item.kind === "day" && <DayLine at={item.at} />}
          {item.kind === "new" && <NewLine />}
          {item.kind === "line" && <Membership line={item.line} me={open.live.me} />}
          {item.kind === "beginning" && (
            <Beginning older={item.older} loading={open.loading.value} title={title} onOlder={() => void open.older()} />
          )}
        </div>
      );
  }
}

function ToNewest({ open, onClick }: { open: OpenConversation; onClick: () => void }) {
  if (open.atEnd.value) return null;
  const count = open.behind.value;
  return (
    <button type="button" class="to-newest" onClick={onClick} aria-label={count ? t("chat.to_newest_count", { count }) : t("chat.to_newest")}>
      <Icon name="down" size={18} />
      {count > 0 && <span>{count > 99 ? "99+" : count}</span>}
    </button>
  );
}

/** The first view: from the line before new messages if there is one, otherwise the newest message. */
function useFirstPlace(open: OpenConversation, scroller: { readonly current: Scroller | null }): void {
  const loaded = open.loaded.value;
  useEffect(() => {
    if (!loaded || !open.isUnread) return;
    const frame = requestAnimationFrame(() => scroller.current?.showIfHidden("new"));
    return () => cancelAnimationFrame(frame);
  }, [open, loaded]);
}

/** A page in the background marks nothing as read; what is in view then counts once the page is visible. */
function useSeenWhenVisible(open: OpenConversation): void {
  useEffect(() => {
    const shown = () => open.viewed(open.seen.value);
    document.addEventListener("visibilitychange", shown);
    return () => document.removeEventListener("visibilitychange", shown);
  }, [open]);
}

/** Arrow keys walk over the messages; Escape leads back to the text field. */
function walked(event: KeyboardEvent, scroller: Scroller | null, field: HTMLTextAreaElement | null): void {
  const inMenu = (event.target as HTMLElement).closest(".menu") !== null;
  if (event.defaultPrevented || inMenu || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "ArrowUp") scroller?.step(-1);
  else if (event.key === "ArrowDown") scroller?.step(1);
  else if (event.key === "Escape") field?.focus();
  else return;
  event.preventDefault();
  event.stopPropagation();
}
