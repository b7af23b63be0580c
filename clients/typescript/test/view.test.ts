import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { beforeEach, test } from "node:test";
import { MOST_WAITING } from "../src/held.ts";
import { RESUMED_TOGETHER } from "../src/timing.ts";
import { View } from "../src/view.ts";
import { ME, MOST, ROOM, golden, goldenFrames, hello, message, opened, page, row, said, texts } from "./cast.ts";

const GAP = { type: "gap", conversation: ROOM, position: 10 };
const RESET = { ...golden("reset"), conversation: ROOM };
let view: View;

beforeEach(() => {
  view = opened();
});

const held = () => {
  const found = view.held.get(ROOM);
  assert.ok(found);
  return found;
};

test("a consecutive change is applied once", () => {
  const frame = said(6, 11, "six");
  assert.deepEqual(view.take(frame).map((event) => event.type), ["message", "conversation_changed"]);
  assert.deepEqual(view.take(frame), []);
  assert.deepEqual(texts(view), ["six"]);
  assert.deepEqual([held().row.position, held().row.last_seq, held().row.unread], [11, 6, 1]);
  assert.deepEqual(view.beginResume("r", MOST), {});
});

test("a gap is reported and requested once", () => {
  assert.deepEqual(view.take(said(7, 12)), [GAP]);
  assert.deepEqual(view.beginResume("r", MOST), { [ROOM]: 10 });
  assert.deepEqual(view.take(said(8, 13)), [], "it comes again");
  view.take(said(7, 12, "edited", 10, "updated"));
  view.take(said(6, 13, "six"));
  assert.equal(view.isCaughtUp, false);
  view.take({ type: "caught_up", ref: "r", positions: { [ROOM]: 13 } });
  assert.equal(view.isCaughtUp, true);
  assert.deepEqual(texts(view), ["six", "edited"]);
  assert.deepEqual(view.take(said(9, 15)), [{ ...GAP, position: 13 }]);
});

test("a conversation has one resume at a time", () => {
  view.take(said(7, 12));
  view.beginResume("r", MOST);
  view.connected();
  view.take(hello([row({ position: 12 })]));
  assert.deepEqual(view.beginResume("s", MOST), { [ROOM]: 10 });
  view.missed.add(ROOM);
  assert.deepEqual(view.beginResume("t", MOST), {});
});

test("a conversation missing from the snapshot is gone at its end", () => {
  view.connected();
  assert.deepEqual(view.take(hello([], true)), []);
  assert.equal(view.isCaughtUp, false);
  const removed = { type: "conversation_removed", conversation: ROOM, reason: "not_a_member" };
  assert.deepEqual(view.take({ type: "conversations", conversations: [], next: false }), [removed]);
  assert.equal(view.rows.size, 0);
});

test("a conversation that is created before the end of the snapshot stays", () => {
  view.connected();
  view.take(hello([], true));
  view.take({ ...golden("conversation.created"), conversation: ROOM, position: 14, data: row({ position: 14 }) });
  assert.deepEqual(view.take({ type: "conversations", conversations: [], next: false }), []);
  assert.ok(view.rows.has(ROOM));
  assert.deepEqual(view.beginResume("r", MOST), { [ROOM]: 10 });
});

test("conversation.created for a known conversation requests its changes", () => {
  const frame = { ...golden("conversation.created"), conversation: ROOM, position: 14, data: row({ position: 14 }) };
  assert.deepEqual(view.take(frame), [GAP]);
});

test("a hidden conversation returns with its next message", () => {
  const revoked = { type: "access.revoked" as const, conversation: ROOM, reason: "hidden" as const };
  assert.deepEqual(view.take(revoked), [{ type: "conversation_removed", conversation: ROOM, reason: "hidden" }]);
  assert.deepEqual(view.take(said(6, 11)), [], "events of an unknown conversation do not count");
  const back = row({ position: 11, last_seq: 6 });
  const events = view.take({ ...golden("conversation.created"), conversation: ROOM, position: 11, data: back });
  assert.deepEqual(events, [{ type: "conversation_added", conversation: back }]);
});

test("a position that moved back is a gap", () => {
  view.connected();
  assert.deepEqual(view.take(hello([row({ position: 7 })])), [GAP]);
  assert.deepEqual(view.beginResume("r", MOST), { [ROOM]: 10 }, "and the server says reset");
});

test("a reset waits for the load and continues from it", () => {
  assert.deepEqual(view.take(RESET), []);
  assert.deepEqual([...view.resets], [ROOM]);
  assert.deepEqual(view.take(said(2001, 4001, "in the load")), []);
  assert.deepEqual(view.take(said(2002, 4002, "after it")), []);
  assert.equal(view.isCaughtUp, false);
  const loaded = row({ position: 4001, last_seq: 2001 });
  const events = view.reload(loaded, page([message(2001, 4001, "in the load")], true, 4001));
  assert.deepEqual(
    events.map((event) => event.type),
    ["reset", "conversation_changed", "message", "conversation_changed"],
  );
  assert.deepEqual(texts(view), ["in the load", "after it"]);
  assert.equal(held().row.position, 4002);
  assert.equal(view.isCaughtUp, true);
});

test("a load that fails leaves the old position, although caught_up has a newer one", () => {
  view.take(RESET);
  view.take({ type: "caught_up", ref: "r", positions: { [ROOM]: 4001 } });
  view.connected();
  view.take(hello([row({ position: 4001 })]));
  assert.equal(held().row.position, 10);
  assert.deepEqual([...view.resets], [ROOM], "it is loaded on the next socket");
});

test("changes waiting for a load are bounded, and the rest is a gap", () => {
  view.take(RESET);
  for (let seq = 6; seq < 6 + MOST_WAITING + 5; seq += 1) view.take(said(seq, seq + 5));
  assert.equal(held().waiting?.length, MOST_WAITING);
  view.reload(row(), null);
  const position = 10 + MOST_WAITING;
  assert.deepEqual(view.take(said(9_999, position + 6)), [{ ...GAP, position }]);
});

test("a read mark moved during a load is kept, unless the server has gone back", () => {
  for (const [position, read] of [[11, 5], [9, 2]] as const) {
    view = opened();
    view.take(RESET);
    view.reload(row({ position, read_seq: 2 }), null);
    assert.equal(held().row.read_seq, read);
  }
});

test("an own read mark lowers the unread count and never moves back", () => {
  view.take(said(6, 11, "six"));
  assert.equal(held().row.unread, 1);
  const read = { type: "read" as const, conversation: ROOM, user: ME, seq: 6 };
  assert.deepEqual(view.take(read).map((event) => event.type), ["read", "conversation_changed"]);
  assert.equal(held().row.unread, 0);
  assert.deepEqual(view.take({ ...read, seq: 2 }), []);
  assert.equal(held().row.read_seq, 6);
  assert.deepEqual(view.take({ ...read, user: "grace", seq: 2 }), [{ ...read, user: "grace", seq: 2 }]);
});

test("a read mark of the new row counts after a reconnect", () => {
  view.take(said(6, 11, "six"));
  view.connected();
  const events = view.take(hello([row({ position: 11, last_seq: 6, read_seq: 6 })]));
  assert.deepEqual(events.map((event) => event.type), ["conversation_changed"]);
  assert.equal(held().row.unread, 0);
});

test("an unknown frame is reported and harmless, and unknown fields too", () => {
  const frame = { type: "reaction", conversation: ROOM } as never;
  assert.deepEqual(view.take(frame), [{ type: "unknown", frame }]);
  view.take({ ...said(6, 11, "six"), invented_later: 1 } as never);
  assert.deepEqual(texts(view), ["six"]);
});

test("an unknown change moves the position", () => {
  const change = { type: "message.pinned", conversation: ROOM, position: 11, prev: 10, data: {} } as never;
  assert.deepEqual(view.take(change), [{ type: "unknown", frame: change }]);
  assert.equal(held().row.position, 11);
});

test("every golden frame is understood", () => {
  const frames = goldenFrames();
  assert.ok(frames.length > 20);
  for (const [file, frame] of frames) {
    const fresh = new View(ME, 4);
    if (frame.type !== "hello") fresh.take(golden("hello"));
    assert.ok(fresh.take(frame).every((event) => event.type !== "unknown"), file);
  }
});

test("five thousand missed conversations are resumed in parts that fit a frame", () => {
  const ids = Array.from({ length: 5_000 }, () => randomUUID());
  view = new View(ME, 4);
  const position = Number.MAX_SAFE_INTEGER - 1;
  view.take(hello(ids.map((id) => row({ id, position }))));
  view.take(hello(ids.map((id) => row({ id, position: position + 1 }))));
  const parts: Record<string, number>[] = [];
  while (view.missed.size > 0) parts.push(view.beginResume(`part ${parts.length}`, RESUMED_TOGETHER));
  for (const conversations of parts) {
    const text = JSON.stringify({ type: "resume", ref: "c".repeat(60), conversations });
    assert.ok(text.length <= 128 * 1024, `${text.length} bytes`);
  }
  assert.deepEqual(new Set(parts.flatMap(Object.keys)), new Set(ids));
  assert.equal(parts.length, 3);
  view.take({ type: "caught_up", ref: "part 0", positions: {} });
  const free = [...view.held.values()].filter((one) => one.resumeRef === null);
  assert.equal(free.length, RESUMED_TOGETHER);
});

test("a refused resume is requested again", () => {
  const refused = { type: "error" as const, code: "too_many_resumes", detail: "Wait.", errors: [] };
  view.take(said(8, 13));
  assert.deepEqual(view.beginResume("r", MOST), { [ROOM]: 10 });
  view.take({ ...refused, ref: "another" });
  assert.equal(view.missed.size, 0);
  view.take({ ...refused, ref: "r" });
  assert.deepEqual(view.beginResume("s", MOST), { [ROOM]: 10 });
});

test("the rows are the same map until one of them changes", () => {
  const { rows } = view;
  view.take(golden("pong"));
  assert.equal(view.rows, rows);
  view.take(said(6, 11));
  assert.notEqual(view.rows, rows);
  assert.equal(rows.get(ROOM)?.last_seq, 5, "the former map stays as it was");
});
