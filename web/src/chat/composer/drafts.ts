/** Unsent texts, one a conversation, kept by the browser over reloads. */

export type Draft = { text: string; reply_to: number | null };

const EMPTY: Draft = { text: "", reply_to: null };
const PREFIX = "chat.draft.";

export class Drafts {
  #storage: Storage;
  #user: string;

  constructor(user: string, storage: Storage = localStorage) {
    this.#user = user;
    this.#storage = storage;
  }

  get(conversation: string): Draft {
    try {
      const kept: unknown = JSON.parse(this.#storage.getItem(this.#key(conversation)) ?? "null");
      return isDraft(kept) ? kept : EMPTY;
    } catch {
      return EMPTY;
    }
  }

  set(conversation: string, draft: Draft): void {
    const key = this.#key(conversation);
    try {
      if (draft.text.trim() || draft.reply_to !== null) this.#storage.setItem(key, JSON.stringify(draft));
      else this.#storage.removeItem(key);
    } catch {
      // The storage is full or forbidden: the text stays in the field, and only a reload loses it.
    }
  }

  #key(conversation: string): string {
    return `${PREFIX}${this.#user}.${conversation}`;
  }
}

function isDraft(value: unknown): value is Draft {
  return typeof value === "object" && value !== null && "text" in value && typeof value.text === "string" && "reply_to" in value;
}
