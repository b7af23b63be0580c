/** Keeps unsent messages in the browser, each under a key of its own, until the server has stored them. */

import type { OutboxStore, Stored } from "@chat/client";

const PREFIX = "chat.outbox.";

export class StoredOutbox implements OutboxStore {
  load(user: string): readonly Stored[] {
    const own = `${PREFIX}${user}.`;
    return Object.keys(localStorage)
      .filter((key) => key.startsWith(own))
      .map((key) => parsed(localStorage.getItem(key)))
      .filter((one) => one !== null);
  }

  save(user: string, client_id: string, stored: Stored | null): void {
    const key = `${PREFIX}${user}.${client_id}`;
    try {
      if (stored) localStorage.setItem(key, JSON.stringify(stored));
      else localStorage.removeItem(key);
    } catch {
      // The browser's storage is full: the message is sent all the same, but does not survive a reload.
    }
  }
}

function parsed(text: string | null): Stored | null {
  try {
    return JSON.parse(text ?? "null") as Stored | null;
  } catch {
    return null;
  }
}
