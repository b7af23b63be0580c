/**
 * The members of one conversation with their read marks, and its joins and exits. Loaded when the conversation is
 * opened, kept right from events, and loaded again after a reconnect, which repeats no read marks of others.
 */

import type { Chat, ConversationDetail, Member } from "@chat/client";
import { signal } from "@preact/signals";
import { MemberLines } from "./member-lines";

type MemberPage = { items: Member[]; next: string | null };
type ChangePage = { items: { type: string; data: unknown }[] };

/** Above this many members the server sends no read marks of others. */
const MOST_WITH_MARKS = 200;
const PAGE = 100;

export class Roster {
  readonly members = signal<readonly Member[]>([]);
  readonly count = signal(0);
  readonly creator = signal("");
  /** Whether members beyond those in `members` can be loaded. */
  readonly next = signal<string | null>(null);
  readonly lines = signal(new MemberLines(), { name: "lines" });
  /** Counts changes of `lines`. */
  readonly version = signal(0);
  #began = "";
  #marks = new Map<string, number>();
  #fresh = false;

  constructor(
    private readonly chat: Chat,
    readonly conversation: string,
  ) {}

  get isFresh(): boolean {
    return this.#fresh;
  }

  /** After a cut: the next `load` asks the server. */
  stale(): void {
    this.#fresh = false;
  }

  async load(): Promise<void> {
    if (this.#fresh) return;
    this.#fresh = true;
    try {
      const detail = await this.chat.request<ConversationDetail>("GET", `/conversations/${this.conversation}/`);
      this.#began = detail.created_at;
      this.creator.value = detail.creator;
      this.count.value = detail.member_count;
      this.#replace(detail.members);
      this.next.value = null;
      if (detail.member_count > detail.members.length) {
        this.#replace([]);
        do await this.more();
        while (this.next.value && this.members.value.length < MOST_WITH_MARKS);
      }
    } catch (error) {
      this.#fresh = false;
      throw error;
    }
  }

  /** Loads the next page of members. */
  async more(): Promise<void> {
    const query = { limit: PAGE, cursor: this.next.value ?? undefined };
    const page = await this.chat.request<MemberPage>("GET", `/conversations/${this.conversation}/members/`, { query });
    const known = new Set(page.items.map((one) => one.user.id));
    this.#replace([...this.members.value.filter((one) => !known.has(one.user.id)), ...page.items]);
    this.next.value = page.next;
  }

  /** Reads who left since this position. The list of members does not have them. */
  async exits(after: number): Promise<void> {
    const query = { after, limit: PAGE };
    const page = await this.chat.request<ChangePage>("GET", `/conversations/${this.conversation}/changes/`, { query });
    for (const one of page.items) if (one.type.startsWith("member.")) this.#line(one.data as Member);
    this.version.value += 1;
  }

  happened(what: string, member: Member, now: string): void {
    this.lines.value.happened(what, member, now);
    this.version.value += 1;
    const others = this.members.value.filter((one) => one.user.id !== member.user.id);
    const was = this.members.value.length - others.length;
    if (member.left_at) {
      this.members.value = others;
      if (this.count.value) this.count.value -= 1;
      return;
    }
    this.mark(member.user.id, member.read_seq);
    if (what === "joined" || what === "added") this.count.value += was ? 0 : 1;
    this.members.value = [...others, member];
  }

  mark(user: string, seq: number): void {
    if (seq <= (this.#marks.get(user) ?? -1)) return;
    this.#marks.set(user, seq);
    this.version.value += 1;
  }

  /** The members who have read up to this message, without its sender. */
  readers(seq: number, sender: string): Member[] {
    return this.members.value.filter((one) => one.user.id !== sender && (this.#marks.get(one.user.id) ?? 0) >= seq);
  }

  #replace(members: readonly Member[]): void {
    for (const one of members) {
      this.#line(one);
      if (one.read_seq > (this.#marks.get(one.user.id) ?? -1)) this.#marks.set(one.user.id, one.read_seq);
    }
    this.members.value = members;
    this.version.value += 1;
  }

  #line(member: Member): void {
    this.lines.value.known(member, this.#began);
  }
}
