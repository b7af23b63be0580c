/**
 * What the components of the chat read: signals that follow the client's events. The client holds the rows; a signal
 * here says that they have changed.
 */

import type { Chat, ChatEvent, Conversation, Message } from "@chat/client";
import { signal, type Signal } from "@preact/signals";
import { Broadcasts } from "./broadcasts";
import { Notices } from "./notices";
import { Presence } from "./presence";
import { Roster } from "./roster";
import { soon } from "./soon";
import { Typing } from "./typing";

export type Departure = { conversation: string; reason: string };

export class Live {
  /** The list, latest activity first. */
  readonly list = signal<readonly Conversation[]>([]);
  readonly typing = new Typing();
  readonly presence: Presence;
  readonly notices: Notices;
  readonly broadcasts: Broadcasts;
  /** The last conversation that was taken from the user, to say so if it is open. */
  readonly departed = signal<Departure | null>(null);
  /** Why the server refuses this page for good: `suspended`, `foreign_origin`; empty otherwise. */
  readonly refused = signal("");
  /** Whether the account is open in too many places. */
  readonly crowded = signal(false);
  /** The newest message of another member, for the live region. */
  readonly arrived = signal<Message | null>(null);
  #versions = new Map<string, Signal<number>>();
  #rosters = new Map<string, Roster>();
  #changed = new Set<string>();
  #leave: () => void;
  #showList = soon(() => {
    this.list.value = [...this.chat.conversations.values()].sort(latestFirst);
  });
  #showTimelines = soon(() => {
    for (const conversation of this.#changed) this.version(conversation).value += 1;
    this.#changed.clear();
  });

  constructor(
    readonly chat: Chat,
    readonly me: string,
  ) {
    this.presence = new Presence(chat);
    this.notices = new Notices(chat);
    this.broadcasts = new Broadcasts(me);
    this.#leave = chat.subscribe((event) => this.#take(event));
    this.list.value = [...chat.conversations.values()].sort(latestFirst);
    if (chat.state === "live") this.#connected();
  }

  end(): void {
    this.#leave();
    this.typing.clear();
  }

  /** Counts the changes of a conversation's messages and pending sends. */
  version(conversation: string): Signal<number> {
    const known = this.#versions.get(conversation);
    if (known) return known;
    const made = signal(0);
    this.#versions.set(conversation, made);
    return made;
  }

  roster(conversation: string): Roster {
    const known = this.#rosters.get(conversation);
    if (known) return known;
    const made = new Roster(this.chat, conversation);
    this.#rosters.set(conversation, made);
    return made;
  }

  /** How many messages of the user wait to be sent, in all conversations. */
  waiting(): number {
    let count = 0;
    for (const row of this.list.value) {
      this.version(row.id).value;
      count += this.chat.pending(row.id).length;
    }
    return count;
  }

  /** The messages or pending sends of a conversation have changed without an event: a page was loaded. */
  touch(conversation: string): void {
    this.#changed.add(conversation);
    this.#showTimelines();
  }

  #take(event: ChatEvent): void {
    switch (event.type) {
      case "state":
        if (event.state === "live") {
          this.crowded.value = false;
          this.#connected();
        }
        if (event.state === "offline") this.#cut();
        break;
      case "conversation_added":
      case "conversation_changed":
        this.#showList();
        break;
      case "conversation_removed":
        this.departed.value = { conversation: event.conversation, reason: event.reason };
        this.#rosters.delete(event.conversation);
        this.#showList();
        break;
      case "message":
        this.#message(event.what, event.message);
        break;
      case "member": {
        const newest = this.chat.messages(event.conversation).at(-1);
        this.roster(event.conversation).happened(event.what, event.member, newest?.sent_at ?? event.member.joined_at);
        this.#showList();
        this.touch(event.conversation);
        break;
      }
      case "read":
        this.roster(event.conversation).mark(event.user, event.seq);
        this.#showList();
        break;
      case "typing":
        if (event.user !== this.me) this.typing.began(event.conversation, event.user, event.expires_in);
        break;
      case "presence":
        this.presence.changed(event.user, event.online);
        break;
      case "notification":
        this.notices.arrived(event.notification);
        break;
      case "broadcast":
        this.broadcasts.arrived(event.broadcast);
        break;
      case "crowded":
        this.crowded.value = true;
        break;
      case "refused":
        this.refused.value = event.reason;
        break;
      case "pending":
      case "reset":
        this.touch(event.conversation);
        this.#showList();
        break;
    }
  }

  #message(what: string, message: Message): void {
    this.#showList();
    this.touch(message.conversation);
    if (what !== "created") return;
    this.typing.ended(message.conversation, message.sent_by.id);
    // Who sends has read what came before.
    this.roster(message.conversation).mark(message.sent_by.id, message.seq);
    if (message.sent_by.id !== this.me && this.chat.state === "live") this.arrived.value = message;
  }

  #connected(): void {
    this.#showList();
    this.notices.load().catch(() => undefined); // The next connection loads them.
    this.presence.askAbout([...this.chat.conversations.values()].sort(latestFirst));
    for (const conversation of this.#rosters.keys()) this.touch(conversation);
  }

  #cut(): void {
    this.presence.clear();
    this.typing.clear();
    for (const roster of this.#rosters.values()) roster.stale();
  }
}

export function latestFirst(one: Conversation, other: Conversation): number {
  if (one.updated_at !== other.updated_at) return one.updated_at < other.updated_at ? 1 : -1;
  return one.id < other.id ? 1 : -1;
}
