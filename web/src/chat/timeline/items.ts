/** The rows of a conversation's timeline: messages and pending sends, with day lines, joins and exits between them. */

import type { Message, Pending } from "@chat/client";
import type { MemberLine } from "../live/member-lines";

export type Item =
  | { kind: "beginning"; key: string; estimate: number; older: boolean }
  | { kind: "day"; key: string; estimate: number; at: string }
  | { kind: "new"; key: string; estimate: number }
  | { kind: "line"; key: string; estimate: number; line: MemberLine }
  | { kind: "message"; key: string; estimate: number; message: Message; own: boolean; first: boolean }
  | { kind: "pending"; key: string; estimate: number; pending: Pending; first: boolean };

export type Sources = {
  messages: readonly Message[];
  pending: readonly Pending[];
  lines: readonly MemberLine[];
  /** Whether older messages can be loaded. */
  older: boolean;
  me: string;
  /** The "new messages" line stands before the first message of another member above this seq; null: no line. */
  newAfter: number | null;
};

const TOGETHER_MS = 5 * 60_000;

export class Items {
  #kept = new Map<string, Item>();

  /** Unchanged rows are the same objects as before, so that their components need not render again. */
  arrange(sources: Sources): Item[] {
    const before = this.#kept;
    this.#kept = new Map();
    return arranged(sources).map((item) => {
      const known = before.get(item.key);
      const kept = known && same(known, item) ? known : item;
      this.#kept.set(item.key, kept);
      return kept;
    });
  }
}

function arranged({ messages, pending, lines, older, me, newAfter }: Sources): Item[] {
  const items: Item[] = [{ kind: "beginning", key: "beginning", estimate: 72, older }];
  let day = "";
  let previous: { by: string; at: number } | null = null;
  let announced = newAfter === null;
  const begin = messages[0];
  let line = older && begin ? lines.findIndex((one) => one.at >= begin.sent_at) : 0;
  if (line < 0) line = lines.length;

  const cut = (at: string) => {
    const its = dayKey(at);
    if (its === day) return;
    day = its;
    previous = null;
    items.push({ kind: "day", key: `day ${its}`, estimate: 48, at });
  };
  const linesUntil = (at: string | null) => {
    for (let one = lines[line]; one && (at === null || one.at < at); one = lines[line]) {
      cut(one.at);
      items.push({ kind: "line", key: one.key, estimate: 30, line: one });
      previous = null;
      line += 1;
    }
  };
  for (const message of messages) {
    linesUntil(message.sent_at);
    cut(message.sent_at);
    const own = message.sent_by.id === me;
    if (!announced && !own && message.seq > (newAfter as number)) {
      announced = true;
      previous = null;
      items.push({ kind: "new", key: "new", estimate: 36 });
    }
    const at = Date.parse(message.sent_at);
    const first = previous === null || previous.by !== message.sent_by.id || at - previous.at > TOGETHER_MS;
    previous = { by: message.sent_by.id, at };
    items.push({ kind: "message", key: keyOf(message, me), estimate: estimated(message, first), message, own, first });
  }
  linesUntil(null);
  // A page may bring a message before the answer to its send has arrived.
  const stored = pending.length ? new Set(messages.map((message) => keyOf(message, me))) : new Set<string>();
  for (const one of pending.filter((waiting) => !stored.has(waiting.client_id))) {
    const first: boolean = previous === null || previous.by !== me;
    previous = { by: me, at: 0 };
    items.push({ kind: "pending", key: one.client_id, estimate: 60, pending: one, first });
  }
  return items;
}

/** A sent message keeps the row of its pending send, which has the same client_id. */
export function keyOf(message: Message, me: string): string {
  return message.sent_by.id === me && message.client_id ? message.client_id : message.id;
}

export function dayKey(at: string): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

function estimated(message: Message, first: boolean): number {
  const head = first ? 34 : 6;
  if (message.message_type === "image" || message.message_type === "video") return head + 268;
  const lines = message.text.split("\n").reduce((sum, one) => sum + Math.max(1, Math.ceil(one.length / 72)), 0);
  return head + lines * 22 + (message.reply_to === null ? 0 : 46);
}

function same(one: Item, other: Item): boolean {
  const left: Record<string, unknown> = one;
  return Object.entries(other).every(([name, value]) => left[name] === value);
}
