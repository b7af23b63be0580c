/**
 * A conversation held by the client: its row of the list, and a run of its newest messages without holes.
 *
 * `floor` is the seq before the run. Events extend the run at its end, loaded pages at its beginning.
 */

import type { ChatEvent, MemberChange } from "./events.ts";
import type { Change } from "./frames.ts";
import type { Conversation, Member, Message, Person } from "./rows.ts";

const WHAT = {
  "message.created": "created",
  "message.updated": "updated",
  "message.deleted": "deleted",
} as const;

/** Frames kept while a conversation is loaded again. Further ones are dropped, and repaired like any other gap. */
export const MOST_WAITING = 1_000;

export class Held {
  row: Conversation;
  floor: number;
  /** The `ref` of the `resume` in progress. */
  resumeRef: string | null = null;
  /** The frames that arrive while the conversation is loaded again; null otherwise. */
  waiting: Change[] | null = null;
  readonly #keep: number;
  #most: number;
  #isComplete = false;
  #messages = new Map<number, Message>();
  #sorted: readonly Message[] | null = null;
  #loads = 0;
  #changed = new Map<number, Message>();
  #renamed = new Map<string, Person>();

  constructor(row: Conversation, keep: number) {
    this.row = row;
    this.floor = row.last_seq;
    this.#keep = keep;
    this.#most = keep;
  }

  /** Ascending by seq; the same array until one of them changes. */
  get messages(): readonly Message[] {
    this.#sorted ??= [...this.#messages.values()].sort((one, other) => one.seq - other.seq);
    return this.#sorted;
  }

  get hasOlder(): boolean {
    return this.floor > 0 && !this.#isComplete;
  }

  wait(change: Change): void {
    if (this.waiting !== null && this.waiting.length < MOST_WAITING) this.waiting.push(change);
  }

  /** Applies a change whose `prev` is the current position. `user` is the id of the logged-in user. */
  apply(change: Change, user: string): ChatEvent[] {
    const before = this.row;
    const events: ChatEvent[] = [];
    this.row = { ...before, position: change.position };
    switch (change.type) {
      case "message.created":
      case "message.updated":
      case "message.deleted":
        this.#take(change.data, user);
        events.push({ type: "message", what: WHAT[change.type], message: change.data });
        break;
      case "conversation.updated":
      case "conversation.deleted": {
        const { name, is_private, creator, updated_at } = change.data;
        this.row = { ...this.row, name, is_private, creator, updated_at: later(before.updated_at, updated_at) };
        break;
      }
      default:
        if (change.type.startsWith("member.")) {
          const member = change.data as Member;
          this.#meet(member, user);
          const what = change.type.slice("member.".length) as MemberChange;
          events.push({ type: "member", what, conversation: this.row.id, member });
        } else {
          events.push({ type: "unknown", frame: change }); // of a newer server; its position counts
        }
    }
    if (isDifferent(before, this.row)) events.push({ type: "conversation_changed", conversation: this.row });
    return events;
  }

  /** Moves the user's read mark forward to `seq`; returns whether it has moved. */
  read(seq: number): boolean {
    if (seq <= this.row.read_seq) return false;
    this.row = withUnread({ ...this.row, read_seq: seq });
    return true;
  }

  /** Begins a load: until `loaded()`, changes of older messages are remembered, which the page may lack. */
  loading(): void {
    this.#loads += 1;
  }

  loaded(): void {
    this.#loads -= 1;
    if (this.#loads === 0) {
      this.#changed.clear();
      this.#renamed.clear();
    }
  }

  /**
   * Puts a page (ascending) before the run if it adjoins it. Of two states of a message the one with the greater
   * position counts. `hasMore` says whether there are older messages than those.
   */
  load(page: readonly Message[], hasMore: boolean): void {
    const last = page.at(-1);
    if (last !== undefined && last.seq < this.floor) return; // the run was trimmed meanwhile
    for (const message of page) {
      const known = this.#messages.get(message.seq) ?? this.#changed.get(message.seq);
      const newest = known !== undefined && known.position >= message.position ? known : message;
      const person = this.#renamed.get(newest.sent_by.id);
      this.#messages.set(message.seq, person === undefined ? newest : { ...newest, sent_by: person });
    }
    this.floor = Math.min(this.floor, (page[0]?.seq ?? this.floor + 1) - 1);
    this.#isComplete = !hasMore;
    this.#most = Math.max(this.#most, this.#messages.size + this.#keep);
    this.#sorted = null;
  }

  /** Drops all but the newest `keep` messages. */
  trim(): void {
    this.#most = this.#keep;
    this.#drop();
  }

  #take(message: Message, user: string): void {
    const last = this.row.last_message;
    const isNewest = !last || message.seq > last.seq || (message.seq === last.seq && message.position > last.position);
    const mine = message.sent_by.id === user ? message.seq : 0; // the sender has read the message
    this.row = withUnread({
      ...this.row,
      last_message: isNewest ? message : last,
      last_seq: Math.max(this.row.last_seq, message.seq),
      read_seq: Math.max(this.row.read_seq, mine),
      updated_at: later(this.row.updated_at, message.sent_at),
    });
    if (message.seq > this.floor) {
      this.#messages.set(message.seq, message);
      this.#sorted = null;
      this.#drop();
    } else if (this.#loads > 0) {
      this.#changed.set(message.seq, message);
    }
  }

  #drop(): void {
    const excess = this.#messages.size - this.#most;
    if (excess <= 0) return;
    for (const message of this.messages.slice(0, excess)) {
      this.#messages.delete(message.seq);
      this.floor = message.seq;
    }
    this.#isComplete = false;
    this.#sorted = null;
  }

  #meet(member: Member, user: string): void {
    const person = member.user;
    const { peer, last_message: last } = this.row;
    if (person.id === user) this.row = { ...this.row, role: member.role };
    if (peer?.id === person.id && isDifferent(peer, person)) this.row = { ...this.row, peer: person };
    if (last?.sent_by.id === person.id && isDifferent(last.sent_by, person)) {
      this.row = { ...this.row, last_message: { ...last, sent_by: person } };
    }
    if (this.#loads > 0) this.#renamed.set(person.id, person);
    for (const [seq, message] of this.#messages) {
      if (message.sent_by.id === person.id && isDifferent(message.sent_by, person)) {
        this.#messages.set(seq, { ...message, sent_by: person });
        this.#sorted = null;
      }
    }
  }
}

function withUnread(row: Conversation): Conversation {
  return { ...row, unread: Math.max(0, row.last_seq - row.read_seq) };
}

/** The later of two times of the server: RFC 3339 in UTC, some with a fraction of a second. */
function later(one: string, other: string): string {
  return Date.parse(other) >= Date.parse(one) ? other : one;
}

/** Whether a field other than `position` differs. */
function isDifferent<T extends object>(before: T, after: T): boolean {
  return (Object.keys(after) as (keyof T)[]).some((field) => field !== "position" && before[field] !== after[field]);
}
