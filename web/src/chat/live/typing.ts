/** Who is typing in which conversation, until the time that the event gave. */

import { signal } from "@preact/signals";

export class Typing {
  readonly users = signal<ReadonlyMap<string, readonly string[]>>(new Map());
  #timers = new Map<string, ReturnType<typeof setTimeout>>();

  began(conversation: string, user: string, seconds: number): void {
    const key = `${conversation} ${user}`;
    clearTimeout(this.#timers.get(key));
    this.#timers.set(key, setTimeout(() => this.ended(conversation, user), seconds * 1000));
    const typing = this.users.value.get(conversation) ?? [];
    if (!typing.includes(user)) this.#put(conversation, [...typing, user]);
  }

  /** The message arrived, or the time is over. */
  ended(conversation: string, user: string): void {
    const key = `${conversation} ${user}`;
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    const typing = this.users.value.get(conversation);
    if (typing?.includes(user)) this.#put(conversation, typing.filter((one) => one !== user));
  }

  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.users.value = new Map();
  }

  #put(conversation: string, users: readonly string[]): void {
    const next = new Map(this.users.value);
    if (users.length) next.set(conversation, users);
    else next.delete(conversation);
    this.users.value = next;
  }
}
