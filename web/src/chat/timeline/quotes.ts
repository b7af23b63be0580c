/** Messages that replies refer to and that are not in the held run, loaded one by one. */

import type { Chat, Message } from "@chat/client";
import { signal } from "@preact/signals";

type MessagePage = { items: Message[] };

export class Quotes {
  readonly known = signal<ReadonlyMap<number, Message>>(new Map());
  #asked = new Set<number>();

  constructor(
    private readonly chat: Chat,
    private readonly conversation: string,
  ) {}

  /** The message with this seq if it is at hand; otherwise it is loaded, and `known` changes when it is there. */
  find(seq: number): Message | null {
    const held = this.chat.messages(this.conversation);
    const first = held[0];
    const message = first && seq >= first.seq ? held[seq - first.seq] : undefined;
    if (message?.seq === seq) return message;
    const quoted = this.known.value.get(seq);
    if (!quoted) void this.#load(seq);
    return quoted ?? null;
  }

  /** A quoted message was edited or deleted. */
  changed(message: Message): void {
    const known = this.known.value.get(message.seq);
    if (known && known.position < message.position) this.known.value = new Map([...this.known.value, [message.seq, message]]);
  }

  async #load(seq: number): Promise<void> {
    if (this.#asked.has(seq)) return;
    this.#asked.add(seq);
    try {
      const query = { before: seq + 1, limit: 1 };
      const page = await this.chat.request<MessagePage>("GET", `/conversations/${this.conversation}/messages/`, { query });
      const found = page.items.find((one) => one.seq === seq);
      if (found) this.known.value = new Map([...this.known.value, [seq, found]]);
    } catch {
      this.#asked.delete(seq);
    }
  }
}
