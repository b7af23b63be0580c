/**
 * The client's state, kept by the rules of docs/realtime.md; no network here.
 *
 * `take` each frame in order. It returns events and records what to request: `missed` (send `resume` with the positions
 * of `beginResume`) and `resets` (load again, then call `reload`). A conversation advances from position to position
 * without a gap: a change that does not follow the current position is not applied.
 */

import type { ChatEvent } from "./events.ts";
import { isChange, type Change, type ServerFrame } from "./frames.ts";
import { Held } from "./held.ts";
import type { Conversation, MessagePage } from "./rows.ts";

export class View {
  readonly held = new Map<string, Held>();
  readonly missed = new Set<string>();
  readonly resets = new Set<string>();
  /** The id of the logged-in user. */
  readonly user: string;
  readonly #keep: number;
  #unheard = new Set<string>();
  #isGreeted = false;
  #rows: ReadonlyMap<string, Conversation> | null = null;

  /** At most `keep` messages that came by events are held per conversation. */
  constructor(user: string, keep: number) {
    this.user = user;
    this.#keep = keep;
  }

  /** The rows of the list; the same map until one of them changes. */
  get rows(): ReadonlyMap<string, Conversation> {
    this.#rows ??= new Map([...this.held].map(([id, held]) => [id, held.row]));
    return this.#rows;
  }

  /** Whether the snapshot is complete, and nothing that was missed is on its way. */
  get isCaughtUp(): boolean {
    if (!this.#isGreeted || this.missed.size > 0) return false;
    for (const held of this.held.values()) {
      if (held.resumeRef !== null || held.waiting !== null) return false;
    }
    return true;
  }

  /** Resets what was in progress on the previous socket. */
  connected(): void {
    this.missed.clear();
    this.resets.clear();
    this.#isGreeted = false;
    for (const held of this.held.values()) {
      held.resumeRef = null;
      if (held.waiting !== null) {
        // Its load did not finish: keep the frames from this socket's `hello` on.
        this.resets.add(held.row.id);
        held.waiting = [];
      }
    }
  }

  /** Returns at most `most` positions to `resume` from, marked as requested under `ref`. The rest stay missed. */
  beginResume(ref: string, most: number): Record<string, number> {
    const positions: Record<string, number> = {};
    let count = 0;
    for (const conversation of this.missed) {
      if (count === most) break;
      this.missed.delete(conversation);
      const held = this.held.get(conversation);
      if (held === undefined || held.resumeRef !== null) continue;
      held.resumeRef = ref;
      positions[conversation] = held.row.position;
      count += 1;
    }
    return positions;
  }

  /** Applies a frame and returns its events. @throws TypeError for a frame that is not of the protocol. */
  take(frame: ServerFrame): ChatEvent[] {
    if (isChange(frame)) return this.#change(frame);
    switch (frame.type) {
      case "hello":
        this.#unheard = new Set(this.held.keys());
        return this.#greet(frame.conversations, !frame.next);
      case "conversations":
        return this.#greet(frame.conversations, !frame.next);
      case "access.revoked":
        return this.#revoke(frame.conversation, frame.reason);
      case "caught_up":
        return this.#answer(frame.ref, false);
      case "error":
        return this.#answer(frame.ref, true);
      case "reset": {
        const held = this.held.get(frame.conversation);
        if (held?.waiting === null) {
          held.waiting = [];
          this.resets.add(frame.conversation);
        }
        return [];
      }
      case "ack":
      case "throttled":
      case "pong":
        return [];
      case "read":
        return this.#read(frame.conversation, frame.user, frame.seq);
      case "typing":
      case "presence":
        return [frame];
      case "notification": {
        const { type: _, ...notification } = frame;
        return [{ type: "notification", notification }];
      }
      case "broadcast": {
        const { type: _, ...broadcast } = frame;
        return [{ type: "broadcast", broadcast }];
      }
      default:
        return [{ type: "unknown", frame: frame satisfies never }];
    }
  }

  /** Moves the user's own read mark, before the server has confirmed it. */
  read(conversation: string, seq: number): ChatEvent[] {
    return this.#read(conversation, this.user, seq);
  }

  /** Replaces a conversation by its fetched state, applies the frames kept since, and returns the events. */
  reload(row: Conversation, page: MessagePage | null): ChatEvent[] {
    const held = this.held.get(row.id);
    if (!held?.waiting) return [];
    this.#rows = null;
    const fresh = new Held(row, this.#keep);
    // A read mark that moved after the row was read is missing from it. (A restored backup is older.)
    if (held.row.position <= row.position) fresh.read(held.row.read_seq);
    if (page !== null) fresh.load(page.items, page.has_more);
    this.held.set(row.id, fresh);
    const events: ChatEvent[] = [
      { type: "reset", conversation: row.id },
      { type: "conversation_changed", conversation: fresh.row },
    ];
    for (const change of held.waiting) events.push(...this.#change(change));
    return events;
  }

  /** Forgets a conversation that the user has lost. */
  drop(conversation: string, reason: string): ChatEvent[] {
    return this.#revoke(conversation, reason);
  }

  #greet(conversations: readonly Conversation[], isComplete: boolean): ChatEvent[] {
    this.#rows = null;
    const events: ChatEvent[] = [];
    for (const row of conversations) {
      this.#unheard.delete(row.id);
      events.push(...this.#list(row));
    }
    if (isComplete) {
      // The user is no longer in conversations that the snapshot lacks.
      for (const conversation of this.#unheard) events.push(...this.#revoke(conversation, "not_a_member"));
      this.#unheard.clear();
      this.#isGreeted = true;
    }
    return events;
  }

  #list(row: Conversation): ChatEvent[] {
    const held = this.held.get(row.id);
    if (held === undefined) return this.#add(row);
    const events: ChatEvent[] = [];
    if (held.row.position !== row.position && held.waiting === null) {
      this.missed.add(row.id);
      events.push({ type: "gap", conversation: row.id, position: held.row.position });
    }
    // Read marks are not replayed.
    if (held.read(row.read_seq)) events.push({ type: "conversation_changed", conversation: held.row });
    return events;
  }

  #add(row: Conversation): ChatEvent[] {
    this.held.set(row.id, new Held(row, this.#keep));
    return [{ type: "conversation_added", conversation: row }];
  }

  #change(change: Change): ChatEvent[] {
    this.#rows = null;
    const { conversation, position, prev } = change;
    const held = this.held.get(conversation);
    const isBeginning = change.type === "conversation.created";
    if (isBeginning) this.#unheard.delete(conversation); // the rest of the snapshot leaves it out
    if (held === undefined) return isBeginning ? this.#add(change.data) : [];
    if (held.waiting !== null) {
      held.wait(change);
      return [];
    }
    if (position <= held.row.position) return [];
    if (isBeginning || prev !== held.row.position) {
      if (held.resumeRef !== null || this.missed.has(conversation)) return [];
      this.missed.add(conversation);
      return [{ type: "gap", conversation, position: held.row.position }];
    }
    return held.apply(change, this.user);
  }

  /** Ends a `resume`. A refused one is sent again with the next `resume`. */
  #answer(ref: unknown, isRefused: boolean): ChatEvent[] {
    if (ref === null || ref === undefined) return [];
    for (const held of this.held.values()) {
      if (held.resumeRef !== ref) continue;
      held.resumeRef = null;
      if (isRefused) this.missed.add(held.row.id);
    }
    return [];
  }

  #revoke(conversation: string, reason: string): ChatEvent[] {
    this.#rows = null;
    this.missed.delete(conversation);
    this.resets.delete(conversation);
    return this.held.delete(conversation) ? [{ type: "conversation_removed", conversation, reason }] : [];
  }

  #read(conversation: string, user: string, seq: number): ChatEvent[] {
    const event: ChatEvent = { type: "read", conversation, user, seq };
    if (user !== this.user) return [event];
    this.#rows = null;
    const held = this.held.get(conversation);
    return held?.read(seq) ? [event, { type: "conversation_changed", conversation: held.row }] : [];
  }
}
