/**
 * The messages that wait to be stored: in order within a conversation, each sent until the server has stored or refused
 * it. They are in the OutboxStore from `add` on until then, so that a reload of the page loses none.
 *
 * A stored message stays in the list until its event has been applied: it never disappears in between.
 */

import { LoginEnded, OutboxFull, Refused, Throttled, Unreachable } from "./errors.ts";
import type { OutboxStore, Refusal, Stored } from "./outbox_store.ts";
import { Pauses } from "./pauses.ts";
import type { Message, MessageBody } from "./rows.ts";
import { sleep, timing } from "./timing.ts";

export const MOST_PENDING = 500;

/**
 * A message of the user that is not in the conversation yet. `since` and `retry_at` are in milliseconds since 1970;
 * `retry_at` is when a throttled one is sent again, `error` why the server refused it.
 */
export type Pending = {
  readonly client_id: string;
  readonly conversation: string;
  readonly body: MessageBody;
  readonly since: number;
  readonly state: "waiting" | "sending" | "throttled" | "refused";
  readonly retry_at?: number;
  readonly error?: Refusal;
};

/** Makes one attempt. `overRest`: not over the socket. */
export type Attempt = (stored: Stored, overRest: boolean) => Promise<Message>;

type Entry = { pending: Pending; stored: Message | null };

class Queue {
  entries: Entry[] = [];
  isDraining = false;
  pause = new AbortController();
  #list: readonly Pending[] | null = null;

  get list(): readonly Pending[] {
    this.#list ??= this.entries.map((entry) => entry.pending);
    return this.#list;
  }

  changed(): void {
    this.#list = null;
  }

  find(client_id: string): Entry | undefined {
    return this.entries.find((entry) => entry.pending.client_id === client_id);
  }

  /** The next one to send. A refused one does not hold up those behind it. */
  next(): Entry | undefined {
    return this.entries.find((entry) => entry.stored === null && entry.pending.state !== "refused");
  }
}

export class Outbox {
  readonly #user: string;
  readonly #store: OutboxStore;
  readonly #attempt: Attempt;
  readonly #changed: (conversation: string) => void;
  readonly #queues = new Map<string, Queue>();
  #ended: AbortSignal = AbortSignal.abort();
  #last = 0;

  /** Loads what is kept. `changed` is called after each change of a conversation's list. */
  constructor(user: string, store: OutboxStore, attempt: Attempt, changed: (conversation: string) => void) {
    this.#user = user;
    this.#store = store;
    this.#attempt = attempt;
    this.#changed = changed;
    for (const stored of [...store.load(user)].sort((one, other) => one.since - other.since)) {
      this.#last = Math.max(this.#last, stored.since);
      this.#put(stored);
    }
  }

  /** Sends until `ended` is aborted. */
  start(ended: AbortSignal): void {
    this.#ended = ended;
    for (const queue of this.#queues.values()) void this.#drain(queue);
  }

  list(conversation: string): readonly Pending[] {
    return this.#queues.get(conversation)?.list ?? [];
  }

  /** Keeps a message and sends it. @throws OutboxFull; whatever the store throws. */
  add(conversation: string, body: MessageBody): Pending {
    let count = 0;
    for (const queue of this.#queues.values()) count += queue.entries.length;
    if (count >= MOST_PENDING) throw new OutboxFull(`${MOST_PENDING} messages wait to be sent already.`);
    // Each later than the one before: that is their order when they are loaded again.
    this.#last = Math.max(Date.now(), this.#last + 1);
    const stored: Stored = { client_id: newId(), conversation, body, since: this.#last };
    this.#store.save(this.#user, stored.client_id, stored);
    const [queue, entry] = this.#put(stored);
    this.#changed(conversation);
    void this.#drain(queue);
    return entry.pending;
  }

  /** Sends a refused message again, or one that waits at once. */
  retry(conversation: string, client_id: string): void {
    const queue = this.#queues.get(conversation);
    const entry = queue?.find(client_id);
    if (!queue || !entry || entry.stored) return;
    if (entry.pending.state === "refused") {
      this.#store.save(this.#user, client_id, plain(entry.pending));
      this.#move(queue, entry, { state: "waiting" });
    }
    queue.pause.abort();
    void this.#drain(queue);
  }

  /** Gives a message up. One that is being sent may have been stored. */
  discard(conversation: string, client_id: string): void {
    this.#remove(conversation, (entry) => entry.pending.client_id === client_id);
  }

  /** A message of the user has been applied to the conversation. */
  applied({ conversation, client_id }: Message): void {
    if (client_id !== null) this.#remove(conversation, (entry) => entry.pending.client_id === client_id);
  }

  /** The conversation's log has been applied up to `position`; null: the conversation is not in the list. */
  advanced(conversation: string, position: number | null): void {
    this.#remove(conversation, ({ stored }) => stored !== null && (position === null || stored.position <= position));
  }

  /** The socket has opened: what waits is sent at once. */
  wake(): void {
    for (const queue of this.#queues.values()) {
      if (queue.next()?.pending.state !== "throttled") queue.pause.abort();
      void this.#drain(queue);
    }
  }

  /** Gives up everything. */
  clear(): void {
    for (const conversation of this.#queues.keys()) this.#remove(conversation, () => true);
  }

  #put(stored: Stored): [Queue, Entry] {
    const queue = this.#queues.get(stored.conversation) ?? new Queue();
    this.#queues.set(stored.conversation, queue);
    const entry: Entry = { pending: { ...stored, state: stored.error ? "refused" : "waiting" }, stored: null };
    queue.entries.push(entry);
    queue.changed();
    return [queue, entry];
  }

  #remove(conversation: string, isOver: (entry: Entry) => boolean): void {
    const queue = this.#queues.get(conversation);
    const over = queue?.entries.filter(isOver) ?? [];
    if (!queue || over.length === 0) return;
    const isHead = over.includes(queue.next() as Entry);
    queue.entries = queue.entries.filter((entry) => !over.includes(entry));
    queue.changed();
    for (const { pending } of over) this.#store.save(this.#user, pending.client_id, null);
    if (isHead) queue.pause.abort();
    this.#changed(conversation);
  }

  #move(queue: Queue, entry: Entry, to: Pick<Pending, "state" | "retry_at" | "error">): void {
    entry.pending = { ...plain(entry.pending), ...to };
    queue.changed();
    this.#changed(entry.pending.conversation);
  }

  async #drain(queue: Queue): Promise<void> {
    if (queue.isDraining) return;
    queue.isDraining = true;
    const pauses = new Pauses(timing.firstRetry, timing.longestRetry);
    let overRest = false;
    try {
      for (let entry = queue.next(); entry && !this.#ended.aborted; entry = queue.next()) {
        this.#move(queue, entry, { state: "sending" });
        let pause = 0;
        try {
          const stored = await this.#attempt(plain(entry.pending), overRest);
          pauses.reset();
          overRest = false;
          this.#accept(queue, entry, stored);
        } catch (error) {
          pause = this.#failed(queue, entry, error, pauses);
          // The socket may be dead: alternate between both ways.
          if (error instanceof Unreachable) overRest = !overRest;
        }
        if (pause > 0) {
          queue.pause = new AbortController();
          await sleep(pause, AbortSignal.any([this.#ended, queue.pause.signal]));
        }
      }
    } finally {
      queue.isDraining = false;
    }
  }

  #accept(queue: Queue, entry: Entry, stored: Message): void {
    if (!queue.entries.includes(entry)) return;
    entry.stored = stored;
    this.#store.save(this.#user, entry.pending.client_id, null);
    this.#changed(entry.pending.conversation);
  }

  /** Returns the pause in seconds before the next attempt. @throws what is no error of a request. */
  #failed(queue: Queue, entry: Entry, error: unknown, pauses: Pauses): number {
    if (!queue.entries.includes(entry)) return 0;
    if (error instanceof Throttled) {
      this.#move(queue, entry, { state: "throttled", retry_at: Date.now() + error.retryAfter * 1000 });
      return error.retryAfter;
    }
    if (error instanceof Refused && !error.mayPass && !error.needsLogin) {
      const { code, detail, errors } = error;
      const refusal: Refusal = { code, detail, errors };
      this.#store.save(this.#user, entry.pending.client_id, { ...plain(entry.pending), error: refusal });
      this.#move(queue, entry, { state: "refused", error: refusal });
      return 0;
    }
    this.#move(queue, entry, { state: "waiting" });
    if (error instanceof Refused) return Math.max(error.retryAfter, pauses.next());
    if (error instanceof Unreachable || error instanceof LoginEnded) return pauses.next();
    throw error;
  }
}

function plain({ client_id, conversation, body, since }: Pending): Stored {
  return { client_id, conversation, body, since };
}

/** A random id. `crypto.randomUUID` exists only on https and on `localhost`. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
