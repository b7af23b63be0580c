/** Announcements of the operators. The server sends each once, so those not yet closed are kept over reloads. */

import type { Broadcast } from "@chat/client";
import { signal } from "@preact/signals";

const MOST = 20;
const MOST_CLOSED = 200;

export class Broadcasts {
  readonly open = signal<readonly Broadcast[]>([]);
  #closed: string[] = [];
  #key: string;

  constructor(user: string) {
    this.#key = `chat.broadcasts.${user}`;
    try {
      const kept: unknown = JSON.parse(localStorage.getItem(this.#key) ?? "null");
      if (isKept(kept)) {
        this.open.value = kept.open;
        this.#closed = kept.closed;
      }
    } catch {
      // Nothing is kept, or the storage is forbidden.
    }
  }

  arrived(broadcast: Broadcast): void {
    if (this.#closed.includes(broadcast.id)) return;
    this.open.value = [broadcast, ...this.open.value.filter((one) => one.id !== broadcast.id)].slice(0, MOST);
    this.#keep();
  }

  close(id: string): void {
    this.#closed = [...this.#closed, id].slice(-MOST_CLOSED);
    this.open.value = this.open.value.filter((one) => one.id !== id);
    this.#keep();
  }

  #keep(): void {
    try {
      localStorage.setItem(this.#key, JSON.stringify({ open: this.open.value, closed: this.#closed }));
    } catch {
      // Then they are gone after a reload.
    }
  }
}

function isKept(value: unknown): value is { open: Broadcast[]; closed: string[] } {
  return (
    typeof value === "object" && value !== null && "open" in value && Array.isArray(value.open) && "closed" in value && Array.isArray(value.closed)
  );
}
