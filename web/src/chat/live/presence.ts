/** Who is online, as far as the conversations that were asked about and their events tell. */

import type { Chat } from "@chat/client";
import { signal } from "@preact/signals";

/** Direct conversations of the list whose dots are asked for; each costs a request of the user's quota. */
const MOST_ASKED = 40;

export class Presence {
  readonly online = signal<ReadonlySet<string>>(new Set());
  #asked = new Set<string>();

  constructor(private readonly chat: Chat) {}

  changed(user: string, online: boolean): void {
    if (this.online.value.has(user) === online) return;
    const next = new Set(this.online.value);
    if (online) next.add(user);
    else next.delete(user);
    this.online.value = next;
  }

  /** Asks once a connection. No answer leaves the dots as they are. */
  async ask(conversation: string): Promise<void> {
    if (this.#asked.has(conversation) || this.chat.state !== "live") return;
    this.#asked.add(conversation);
    try {
      const online = await this.chat.presence(conversation);
      if (online) this.online.value = new Set([...this.online.value, ...online]);
    } catch {
      this.#asked.delete(conversation);
    }
  }

  /** For the direct conversations at the top of the list. */
  askAbout(list: readonly { id: string; kind: string }[]): void {
    for (const one of list.filter((row) => row.kind === "direct").slice(0, MOST_ASKED)) void this.ask(one.id);
  }

  /** After a cut nothing is known. */
  clear(): void {
    this.#asked.clear();
    this.online.value = new Set();
  }
}
