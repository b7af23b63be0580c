import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { OutboxFull, Refused, Throttled, Unreachable } from "../src/errors.ts";
import { MOST_PENDING, Outbox, type Attempt } from "../src/outbox.ts";
import { OutboxInMemory, type Stored } from "../src/outbox_store.ts";
import { timing } from "../src/timing.ts";
import { ME, ROOM, message } from "./cast.ts";

const before = { ...timing };
let store: OutboxInMemory;
let ended: AbortController;
let attempts: { text: string; client_id: string; overRest: boolean; settle: (result: Error | "stored") => void }[];

/** Each attempt waits in `attempts` until the test settles it. */
const attempt: Attempt = ({ body, client_id }, overRest) =>
  new Promise((resolve, reject) => {
    const text = body.text ?? "";
    const settle = (result: Error | "stored") => {
      if (result === "stored") resolve(message(6, 11, text, { client_id }));
      else reject(result);
    };
    attempts.push({ text, client_id, overRest, settle });
  });

beforeEach(() => {
  Object.assign(timing, { firstRetry: 0.001, longestRetry: 0.001 });
  store = new OutboxInMemory();
  ended = new AbortController();
  attempts = [];
});

afterEach(() => {
  ended.abort();
  Object.assign(timing, before);
});

function started(): Outbox {
  const outbox = new Outbox(ME, store, attempt, () => undefined);
  outbox.start(ended.signal);
  return outbox;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1));
}

const states = (outbox: Outbox) => outbox.list(ROOM).map((one) => one.state);
const kept = () => store.load(ME).map((one) => one.body.text);

test("messages of a conversation are sent one after the other, those of two at the same time", async () => {
  const outbox = started();
  for (const text of ["one", "two"]) outbox.add(ROOM, { text });
  outbox.add("another", { text: "elsewhere" });
  assert.deepEqual(attempts.map((one) => one.text), ["one", "elsewhere"]);
  assert.deepEqual(states(outbox), ["sending", "waiting"]);
  attempts[0]?.settle("stored");
  await until(() => attempts.length === 3);
  assert.equal(attempts[2]?.text, "two");
});

test("a stored message leaves the store at once, and the list with its event", async () => {
  const outbox = started();
  const { client_id } = outbox.add(ROOM, { text: "one" });
  assert.deepEqual(kept(), ["one"]);
  attempts[0]?.settle("stored");
  await until(() => kept().length === 0);
  assert.deepEqual(states(outbox), ["sending"], "it never disappears in between");
  outbox.advanced(ROOM, 10);
  assert.equal(outbox.list(ROOM).length, 1, "its event has position 11");
  outbox.applied(message(6, 11, "one", { client_id }));
  assert.equal(outbox.list(ROOM).length, 0);
});

test("a stored message whose event has been applied before leaves the list", async () => {
  const outbox = started();
  outbox.add(ROOM, { text: "one" });
  attempts[0]?.settle("stored");
  await until(() => kept().length === 0);
  outbox.advanced(ROOM, 11);
  assert.equal(outbox.list(ROOM).length, 0);
});

test("an event settles a message whose answer was lost", async () => {
  const outbox = started();
  const { client_id } = outbox.add(ROOM, { text: "one" });
  outbox.add(ROOM, { text: "two" });
  outbox.applied(message(6, 11, "one", { client_id }));
  assert.deepEqual(outbox.list(ROOM).map((one) => one.body.text), ["two"]);
  assert.deepEqual(kept(), ["two"]);
  attempts[0]?.settle(new Unreachable());
  await until(() => attempts.length === 2);
  assert.equal(attempts[1]?.text, "two");
});

test("a message without an answer is sent again with its client_id, over the other way", async () => {
  const outbox = started();
  const { client_id } = outbox.add(ROOM, { text: "one" });
  attempts[0]?.settle(new Unreachable());
  await until(() => attempts.length === 2);
  attempts[1]?.settle(new Refused("outcome_unknown", "It may be stored.", { status: 503 }));
  await until(() => attempts.length === 3);
  assert.deepEqual(attempts.map((one) => [one.client_id, one.overRest]), [
    [client_id, false],
    [client_id, true],
    [client_id, true],
  ]);
});

test("a throttled message waits, holds up those behind it, and says until when", async () => {
  const outbox = started();
  outbox.add(ROOM, { text: "one" });
  outbox.add(ROOM, { text: "two" });
  const now = Date.now();
  attempts[0]?.settle(new Throttled("messages", 60));
  await until(() => states(outbox)[0] === "throttled");
  assert.ok((outbox.list(ROOM)[0]?.retry_at ?? 0) >= now + 60_000);
  outbox.wake();
  outbox.add(ROOM, { text: "three" });
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  assert.deepEqual(states(outbox), ["throttled", "waiting", "waiting"]);
  assert.equal(attempts.length, 1, "earlier attempts would be refused too");
  assert.deepEqual(kept(), ["one", "two", "three"]);
});

test("a refused message stays with its error, does not hold up others, and is sent again on request", async () => {
  const outbox = started();
  const { client_id } = outbox.add(ROOM, { text: "one" });
  outbox.add(ROOM, { text: "two" });
  const errors = [{ field: "text", message: "It is empty." }];
  attempts[0]?.settle(new Refused("invalid_message", "The message is not valid.", { errors }));
  await until(() => attempts.length === 2);
  assert.deepEqual(states(outbox), ["refused", "sending"]);
  assert.equal(outbox.list(ROOM)[0]?.error?.code, "invalid_message");
  assert.equal(store.load(ME).find((one) => one.client_id === client_id)?.error?.errors[0]?.field, "text");
  attempts[1]?.settle("stored");
  await until(() => kept().length === 1);
  outbox.retry(ROOM, client_id);
  await until(() => attempts.length === 3);
  assert.equal(attempts[2]?.client_id, client_id);
  assert.equal(store.load(ME)[0]?.error, undefined);
});

test("what is kept is sent after a restart in its order, but what was refused is not", async () => {
  const first = started();
  for (const text of ["one", "two", "three"]) first.add(ROOM, { text });
  attempts[0]?.settle(new Refused("not_found", "It is gone.", { status: 404 }));
  await until(() => attempts.length === 2);
  ended.abort();
  ended = new AbortController();
  const [refused, ...others] = store.load(ME);
  assert.ok(refused);
  store.save(ME, refused.client_id, null);
  store.save(ME, refused.client_id, refused); // now it is the last that the store returns
  attempts = [];
  const second = started();
  assert.deepEqual(second.list(ROOM).map((one) => one.body.text), ["one", "two", "three"]);
  assert.deepEqual(states(second), ["refused", "sending", "waiting"]);
  assert.equal(attempts[0]?.client_id, others[0]?.client_id);
});

test("messages of one millisecond keep their order", () => {
  const outbox = started();
  for (let n = 0; n < 20; n += 1) outbox.add(ROOM, { text: String(n) });
  const since = store.load(ME).map((one: Stored) => one.since);
  assert.equal(new Set(since).size, 20);
});

test("a discarded message is not sent", async () => {
  const outbox = started();
  outbox.add(ROOM, { text: "one" });
  const { client_id } = outbox.add(ROOM, { text: "two" });
  outbox.add(ROOM, { text: "three" });
  outbox.discard(ROOM, client_id);
  attempts[0]?.settle("stored");
  await until(() => attempts.length === 2);
  assert.equal(attempts[1]?.text, "three");
  assert.deepEqual(kept(), ["three"]);
});

test("a discarded throttled message makes room for the next", async () => {
  const outbox = started();
  const { client_id } = outbox.add(ROOM, { text: "one" });
  outbox.add(ROOM, { text: "two" });
  attempts[0]?.settle(new Throttled("messages", 600));
  await until(() => states(outbox)[0] === "throttled");
  outbox.discard(ROOM, client_id);
  await until(() => attempts.length === 2);
  assert.equal(attempts[1]?.text, "two");
});

test("the outbox is bounded", () => {
  const outbox = started();
  for (let n = 0; n < MOST_PENDING; n += 1) outbox.add(`room ${n}`, { text: "one" });
  assert.throws(() => outbox.add(ROOM, { text: "one too many" }), OutboxFull);
  assert.equal(kept().length, MOST_PENDING);
});

test("a message that the store does not take is not sent", () => {
  store.save = () => {
    throw new Error("quota exceeded");
  };
  const outbox = started();
  assert.throws(() => outbox.add(ROOM, { text: "one" }), /quota/);
  assert.deepEqual([outbox.list(ROOM).length, attempts.length], [0, 0]);
});
