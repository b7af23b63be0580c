/** Rows and frames for tests of the view: a conversation "room" at position 10, where five messages have been sent. */

import { readFileSync, readdirSync } from "node:fs";
import type { Change, ServerFrame } from "../src/frames.ts";
import type { Conversation, Message, MessagePage } from "../src/rows.ts";
import { View } from "../src/view.ts";

const GOLDEN = new URL("../../../tests/system/golden/", import.meta.url);

export const ROOM = "room";
export const ME = "me";
export const MOST = 2_000;

type OfType<T extends ServerFrame["type"]> = Extract<ServerFrame, { type: T }>;

/** A frame as the server sends it, recorded from a running chat. */
export function golden<T extends ServerFrame["type"]>(name: T): OfType<T> {
  return JSON.parse(readFileSync(new URL(`frame.${name}.json`, GOLDEN), "utf8")) as OfType<T>;
}

export function goldenFrames(): [string, ServerFrame][] {
  const files = readdirSync(GOLDEN).filter((file) => file.startsWith("frame."));
  return files.map((file) => [file, JSON.parse(readFileSync(new URL(file, GOLDEN), "utf8")) as ServerFrame]);
}

export function row(fields: Partial<Conversation> = {}): Conversation {
  const [given] = golden("hello").conversations;
  const place = { id: ROOM, position: 10, last_seq: 5, read_seq: 5, last_message: null };
  return { ...(given as Conversation), ...place, ...fields };
}

export function hello(rows: Conversation[], next = false): ServerFrame {
  return { ...golden("hello"), user: ME, conversations: rows, next };
}

export function message(seq: number, position: number, text = "", fields: Partial<Message> = {}): Message {
  return { ...golden("message.created").data, id: `m${seq}`, conversation: ROOM, seq, position, text, ...fields };
}

type What = "created" | "updated" | "deleted";

export function said(seq: number, position: number, text = "", prev = position - 1, what: What = "created"): Change {
  return { type: `message.${what}`, conversation: ROOM, position, prev, data: message(seq, position, text) };
}

export function page(messages: Message[], has_more = true, position = 10): MessagePage {
  return { items: messages, has_more, position };
}

export function opened(keep = 4): View {
  const view = new View(ME, keep);
  view.take(hello([row()]));
  return view;
}

export function texts(view: View): string[] {
  return (view.held.get(ROOM)?.messages ?? []).map((one) => one.text);
}
