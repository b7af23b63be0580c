/** The user's notifications: unread messages by conversation, and whether one of them mentions the user. */

import type { Chat, Conversation, Notification } from "@chat/client";
import { signal } from "@preact/signals";

type NotificationPage = { items: Notification[]; next: string | null };

export class Notices {
  readonly items = signal<readonly Notification[]>([]);
  readonly next = signal<string | null>(null);

  constructor(private readonly chat: Chat) {}

  async load(): Promise<void> {
    const page = await this.chat.request<NotificationPage>("GET", "/notifications/");
    this.items.value = page.items;
    this.next.value = page.next;
  }

  async more(): Promise<void> {
    const query = { cursor: this.next.value ?? undefined };
    const page = await this.chat.request<NotificationPage>("GET", "/notifications/", { query });
    const known = new Set(this.items.value.map((one) => one.id));
    this.items.value = [...this.items.value, ...page.items.filter((one) => !known.has(one.id))];
    this.next.value = page.next;
  }

  /** A new one, or one that has grown. */
  arrived(notification: Notification): void {
    this.items.value = [notification, ...this.items.value.filter((one) => one.id !== notification.id)];
  }

  async readAll(): Promise<void> {
    await this.chat.request("POST", "/notifications/read/", { body: { all: true } });
    this.items.value = this.items.value.map((one) => ({ ...one, is_read: true }));
  }

  async read(id: string): Promise<void> {
    await this.chat.request("POST", "/notifications/read/", { body: { ids: [id] } });
    this.items.value = this.items.value.map((one) => (one.id === id ? { ...one, is_read: true } : one));
  }
}

/** A notification counts as read once the read mark has reached it, on any device. */
export function isUnread(notification: Notification, conversation: Conversation | undefined): boolean {
  return !notification.is_read && conversation !== undefined && conversation.read_seq < notification.up_to_seq;
}
