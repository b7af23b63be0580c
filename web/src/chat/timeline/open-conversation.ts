/** One conversation on the screen: its rows, what is being loaded, and what the user is about to do in it. */

import type { Conversation, Message } from "@chat/client";
import { computed, effect, signal } from "@preact/signals";
import type { Live } from "../live/live";
import type { Roster } from "../live/roster";
import { Items, keyOf, type Item } from "./items";
import { Quotes } from "./quotes";

const FIRST_PAGE = 60;
const PAGE = 200;
const LARGEST_PAGE = 500;
const RETRY_MS = 3_000;

export class OpenConversation {
  readonly roster: Roster;
  readonly quotes: Quotes;
  readonly row = computed<Conversation | undefined>(() => this.live.list.value.find((one) => one.id === this.id));
  readonly items = computed<readonly Item[]>(() => this.#arrange());
  readonly replying = signal<Message | null>(null);
  readonly editing = signal<Message | null>(null);
  /** The row that Tab reaches, and the row that a jump led to. */
  readonly current = signal<string | null>(null);
  readonly marked = signal<string | null>(null);
  readonly loading = signal(false);
  readonly loaded = signal(false);
  readonly atEnd = signal(true);
  /** The newest seq that was in view. */
  readonly seen = signal(0);
  readonly #newAfter = signal<number | null>(null);
  #arrangement = new Items();
  #exitsRead = false;
  #failedAt = 0;
  #endings: (() => void)[] = [];

  constructor(
    readonly live: Live,
    readonly id: string,
  ) {
    this.roster = live.roster(id);
    this.quotes = new Quotes(live.chat, id);
    const row = live.chat.conversations.get(id);
    if (row && row.unread > 0) this.#newAfter.value = row.read_seq;
    this.seen.value = row?.read_seq ?? 0;
    this.#endings.push(live.chat.subscribe((event) => this.#follow(event)));
    this.#endings.push(
      effect(() => {
        if (this.atEnd.value) this.seen.value = Math.max(this.seen.peek(), this.row.value?.last_seq ?? 0);
      }),
    );
    void this.fill();
  }

  end(): void {
    for (const end of this.#endings) end();
    this.live.chat.trim(this.id);
  }

  get isHeld(): boolean {
    return this.live.chat.messages(this.id).length > 0 || this.live.chat.conversations.get(this.id)?.last_seq === 0;
  }

  get isUnread(): boolean {
    return this.#newAfter.value !== null;
  }

  /** Messages of others below the view. */
  readonly behind = computed(() => {
    this.live.version(this.id).value;
    if (this.atEnd.value) return 0;
    const messages = this.live.chat.messages(this.id);
    let count = 0;
    for (let at = messages.length - 1; at >= 0 && (messages[at] as Message).seq > this.seen.value; at -= 1) {
      if (messages[at]?.sent_by.id !== this.live.me) count += 1;
    }
    return count;
  });

  /** Loads what the first screen needs: the newest messages, from before the first unread one. */
  async fill(): Promise<void> {
    const { chat } = this.live;
    const row = chat.conversations.get(this.id);
    if (!row || this.loading.value) return;
    const held = chat.messages(this.id).length;
    if (held < FIRST_PAGE && chat.hasOlder(this.id)) {
      await this.#load(Math.min(LARGEST_PAGE, Math.max(FIRST_PAGE, row.unread + 20)));
    }
    this.loaded.value = this.loaded.value || this.isHeld;
    await Promise.allSettled([this.roster.load(), this.live.presence.ask(this.id), this.#exits(row)]);
  }

  async older(): Promise<void> {
    if (!this.loading.value && this.live.chat.hasOlder(this.id) && Date.now() - this.#failedAt > RETRY_MS) await this.#load(PAGE);
  }

  /** Loads back to this message; returns its row's key, or null if it cannot be loaded. */
  async reach(seq: number): Promise<string | null> {
    const { chat } = this.live;
    while ((chat.messages(this.id)[0]?.seq ?? Infinity) > seq && chat.hasOlder(this.id)) {
      if (!(await this.#load(LARGEST_PAGE))) return null;
    }
    const message = chat.messages(this.id).find((one) => one.seq === seq);
    return message ? keyOf(message, this.live.me) : null;
  }

  /** Messages up to `seq` are in view. */
  viewed(seq: number): void {
    if (seq > this.seen.value) this.seen.value = seq;
    const row = this.live.chat.conversations.get(this.id);
    if (row && document.visibilityState === "visible" && seq > row.read_seq) this.live.chat.read(this.id, seq);
  }

  /** The line before new messages has served once the user writes. */
  caughtUp(): void {
    this.#newAfter.value = null;
  }

  reply(message: Message): void {
    this.editing.value = null;
    this.replying.value = message;
  }

  edit(message: Message): void {
    this.replying.value = null;
    this.editing.value = message;
  }

  /** The user's newest text, for the Up key. */
  lastOwn(): Message | null {
    const messages = this.live.chat.messages(this.id);
    for (let at = messages.length - 1; at >= 0; at -= 1) {
      const one = messages[at] as Message;
      if (one.sent_by.id === this.live.me && !one.deleted_at && one.message_type === "text") return one;
    }
    return null;
  }

  #arrange(): readonly Item[] {
    const { chat, me } = this.live;
    this.live.version(this.id).value;
    this.roster.version.value;
    const row = chat.conversations.get(this.id);
    return this.#arrangement.arrange({
      messages: chat.messages(this.id),
      pending: chat.pending(this.id),
      lines: row?.kind === "group" ? this.roster.lines.value.lines : [],
      older: chat.hasOlder(this.id),
      me,
      newAfter: this.#newAfter.value,
    });
  }

  async #load(limit: number): Promise<boolean> {
    this.loading.value = true;
    try {
      await this.live.chat.load(this.id, limit);
      this.live.touch(this.id);
      return true;
    } catch {
      this.#failedAt = Date.now();
      return false;
    } finally {
      this.loading.value = false;
    }
  }

  async #exits(row: Conversation): Promise<void> {
    const messages = this.live.chat.messages(this.id);
    if (this.#exitsRead || row.kind !== "group" || messages.length === 0) return;
    this.#exitsRead = true;
    await this.roster.exits(Math.max(0, Math.min(...messages.map((one) => one.position)) - 1));
  }

  #follow(event: Parameters<Parameters<Live["chat"]["subscribe"]>[0]>[0]): void {
    if (event.type === "message" && event.message.conversation === this.id) {
      this.quotes.changed(event.message);
      if (event.what === "deleted") this.#dropped(event.message);
    }
    if (event.type === "state" && event.state === "live") void this.fill();
    if (event.type === "reset" && event.conversation === this.id) void this.fill();
  }

  /** A deleted message is neither answered nor edited. */
  #dropped(message: Message): void {
    if (this.replying.value?.id === message.id) this.replying.value = null;
    if (this.editing.value?.id === message.id) this.editing.value = null;
  }
}
