/** Where messages are kept until the server has stored them. */

import type { FieldError } from "./errors.ts";
import type { MessageBody } from "./rows.ts";

/** Why the server refused a message. `code` is stable, `detail` a sentence for people. */
export type Refusal = { code: string; detail: string; errors: readonly FieldError[] };

/** A message that waits to be sent, as plain JSON. `since` is when the user sent it, in milliseconds since 1970. */
export type Stored = {
  client_id: string;
  conversation: string;
  body: MessageBody;
  since: number;
  error?: Refusal;
};

/**
 * `load` returns a user's messages in any order. `save` keeps one, or removes it if `stored` is null. Each message has
 * a place of its own, so that tabs that share the store do not overwrite each other's. A message that two tabs send is
 * stored once.
 */
export interface OutboxStore {
  load(user: string): readonly Stored[];
  save(user: string, client_id: string, stored: Stored | null): void;
}

/** Keeps the messages as long as the program runs. */
export class OutboxInMemory implements OutboxStore {
  readonly #kept = new Map<string, Map<string, Stored>>();

  load(user: string): readonly Stored[] {
    return [...(this.#kept.get(user)?.values() ?? [])];
  }

  save(user: string, client_id: string, stored: Stored | null): void {
    const kept = this.#kept.get(user) ?? new Map<string, Stored>();
    if (stored === null) kept.delete(client_id);
    else kept.set(client_id, stored);
    this.#kept.set(user, kept);
  }
}
