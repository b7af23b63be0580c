import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { Change } from "../src/frames.ts";
import type { Held } from "../src/held.ts";
import type { Member } from "../src/rows.ts";
import type { View } from "../src/view.ts";
import { ME, ROOM, golden, message, opened, row, said, texts } from "./cast.ts";

let view: View;
let held: Held;

beforeEach(() => {
  view = opened();
  held = view.held.get(ROOM) as Held;
});

const numbers = () => held.messages.map((one) => one.seq);
const sent = (seq: number, by: string) => {
  const { sent_by } = message(seq, seq);
  return { ...said(seq, seq + 5), data: message(seq, seq + 5, "", { sent_by: { ...sent_by, id: by } }) } as Change;
};

test("a run keeps a bounded number of messages from events", () => {
  for (let seq = 6; seq < 16; seq += 1) view.take(said(seq, seq + 5, String(seq)));
  assert.deepEqual(texts(view), ["12", "13", "14", "15"]);
  assert.equal(held.floor, 11);
  view.take(said(8, 21, "old, edited", 20, "updated"));
  assert.deepEqual(texts(view), ["12", "13", "14", "15"], "an edit of an older message is no part of the run");
});

test("loaded messages stay beyond that bound until the run is trimmed", () => {
  held.loading();
  held.load([1, 2, 3, 4, 5].map((seq) => message(seq, seq)), false);
  held.loaded();
  for (let seq = 6; seq < 9; seq += 1) view.take(said(seq, seq + 5));
  assert.deepEqual(numbers(), [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.equal(held.hasOlder, false);
  held.trim();
  assert.deepEqual(numbers(), [5, 6, 7, 8]);
  assert.deepEqual([held.floor, held.hasOlder], [4, true]);
});

test("a loaded page does not undo a newer change", () => {
  held.loading();
  view.take(said(4, 11, "edited", 10, "updated"));
  assert.deepEqual(numbers(), [], "it is older than the run");
  held.load([message(4, 4), message(5, 5)], true);
  held.loaded();
  assert.deepEqual(texts(view), ["edited", ""]);
  held.load([message(1, 1), message(2, 2)], false);
  assert.deepEqual(numbers(), [4, 5], "a run has no hole");
  assert.equal(held.hasOlder, true);
});

test("a change from before a load is not remembered", () => {
  view.take(said(4, 11, "edited", 10, "updated"));
  held.load([message(4, 12, "newer"), message(5, 5)], true);
  assert.deepEqual(texts(view), ["newer", ""]);
});

test("a page says whether older messages are left", () => {
  held.load([message(4, 4), message(5, 5)], true);
  assert.equal(held.hasOlder, true);
  held.load([message(3, 3)], false); // the first two were removed long ago
  assert.equal(held.hasOlder, false);
});

test("a conversation without messages has no older ones", () => {
  const empty = opened();
  empty.take({ ...golden("conversation.created"), conversation: "new", data: row({ id: "new", last_seq: 0 }) });
  assert.equal(empty.held.get("new")?.hasOlder, false);
  assert.equal(held.hasOlder, true);
});

test("an own message counts as read, another's does not", () => {
  view.take(sent(6, "grace"));
  assert.deepEqual([held.row.read_seq, held.row.unread], [5, 1]);
  view.take(sent(7, ME));
  assert.deepEqual([held.row.read_seq, held.row.unread], [7, 0]);
});

test("the newest message of the row is the one with the greatest seq, in its newest state", () => {
  view.take(said(7, 12, "seven", 10));
  view.take(said(6, 13, "six"));
  assert.equal(held.row.last_message?.text, "seven");
  view.take(said(7, 14, "edited", 13, "updated"));
  assert.equal(held.row.last_message?.text, "edited");
  assert.equal(held.row.last_seq, 7);
});

test("a renamed member is renamed everywhere, also in a page that is on its way", () => {
  const { sent_by } = message(6, 11);
  view.take(said(6, 11, "six"));
  held.loading();
  const user = { ...sent_by, first_name: "Augusta" };
  const data: Member = { ...golden("member.updated").data, user };
  view.take({ type: "member.updated", conversation: ROOM, position: 12, prev: 11, data });
  held.load([message(5, 5)], true);
  held.loaded();
  assert.deepEqual(held.messages.map((one) => one.sent_by.first_name), ["Augusta", "Augusta"]);
  assert.equal(held.row.last_message?.sent_by.first_name, "Augusta");
});

test("an own role and the conversation's name are kept right", () => {
  const promoted = golden("member.promoted").data;
  const data: Member = { ...promoted, user: { ...promoted.user, id: ME }, role: "admin" };
  view.take(said(6, 11));
  view.take({ type: "member.promoted", conversation: ROOM, position: 12, prev: 11, data });
  assert.equal(held.row.role, "admin");
  const renamed = { ...golden("conversation.updated").data, id: ROOM, name: "Engine room" };
  view.take({ type: "conversation.updated", conversation: ROOM, position: 13, prev: 12, data: renamed });
  assert.equal(held.row.name, "Engine room");
  assert.equal(held.row.last_seq, 6, "the other fields of the row are kept");
});

test("the messages are the same array until one of them changes", () => {
  view.take(said(6, 11));
  const { messages } = held;
  view.take({ type: "read", conversation: ROOM, user: ME, seq: 6 });
  assert.equal(held.messages, messages);
  view.take(said(7, 12));
  assert.notEqual(held.messages, messages);
  assert.equal(messages.length, 1);
});
