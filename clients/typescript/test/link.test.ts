import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import type { SocketLike } from "../src/connection.ts";
import { LoginEnded, Refused } from "../src/errors.ts";
import type { State } from "../src/events.ts";
import type { ServerFrame } from "../src/frames.ts";
import { Link } from "../src/link.ts";
import type { Login } from "../src/login.ts";
import { timing } from "../src/timing.ts";
import { View } from "../src/view.ts";
import { ME, ROOM, golden, hello, row } from "./cast.ts";

/** A socket whose server is the test. */
class Wire implements SocketLike {
  static all: Wire[] = [];
  readyState = 0;
  onopen: SocketLike["onopen"] = null;
  onmessage: SocketLike["onmessage"] = null;
  onclose: SocketLike["onclose"] = null;
  onerror: SocketLike["onerror"] = null;
  sent: { type: string; [field: string]: unknown }[] = [];
  closed: number[] = [];
  readonly url: string;
  readonly protocols: string[];

  constructor(url: string, protocols: string[]) {
    this.url = url;
    this.protocols = protocols;
    Wire.all.push(this);
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(code: number): void {
    this.closed.push(code);
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.({});
  }

  says(frame: ServerFrame | string): void {
    this.onmessage?.({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
  }

  ends(code: number, reason = ""): void {
    this.onclose?.({ code, reason });
  }
}

let ended: AbortController;
let states: State[];
let renewed: string[];
let renew: () => Promise<void>;
let running: Promise<void>;
let link: Link;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  Wire.all = [];
  states = [];
  renewed = [];
  renew = async () => undefined;
  ended = new AbortController();
  const login = {
    access: "token",
    fresh: async () => "token",
    following: () => new Promise(() => undefined),
    renew: (spent: string) => {
      renewed.push(spent);
      return renew();
    },
  } as unknown as Login;
  const owner = {
    emit: () => undefined,
    move: (state: State) => states.push(state),
    opened: () => undefined,
    reload: () => undefined,
  };
  link = new Link("https://chat.example.org/below", Wire, login, new View(ME, 4), owner);
  running = link.run(ended.signal);
  running.catch(() => undefined);
});

afterEach(() => {
  ended.abort();
  mock.timers.reset();
});

/** Lets everything happen that needs no time. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

async function passed(seconds: number): Promise<void> {
  await settled();
  mock.timers.tick(seconds * 1000);
  await settled();
}

async function greeted(): Promise<Wire> {
  await settled();
  const wire = Wire.all.at(-1);
  assert.ok(wire);
  wire.open();
  wire.says(hello([row()]));
  return wire;
}

/** Waits for the next socket; returns how many seconds that took. */
async function reopened(): Promise<number> {
  const count = Wire.all.length;
  let seconds = 0;
  for (; Wire.all.length === count; seconds += 0.25) await passed(0.25);
  return seconds;
}

const pings = (wire: Wire) => wire.sent.filter((frame) => frame.type === "ping").length;

test("the socket is opened with the token as a subprotocol, below the server's path", async () => {
  const wire = await greeted();
  assert.equal(wire.url, "wss://chat.example.org/below/ws/conversations");
  assert.deepEqual(wire.protocols, ["chat.v1", "bearer.token"]);
  assert.deepEqual(states, ["connecting", "catching_up", "live"]);
});

test("a socket that does not open, or brings no hello, is given up", async () => {
  await passed(timing.open - 0.1);
  assert.equal(Wire.all.length, 1);
  await passed(0.1);
  assert.deepEqual(Wire.all[0]?.closed, [1000]);
  await passed(timing.firstReconnect);
  assert.equal(Wire.all.length, 2);
  Wire.all[1]?.open();
  await passed(timing.hello - 0.1);
  assert.deepEqual(Wire.all[1]?.closed, []);
  await passed(0.1);
  assert.deepEqual(Wire.all[1]?.closed, [1000]);
});

test("a silent socket is closed 30 seconds after the first ping without a sign", async () => {
  const wire = await greeted();
  await passed(golden("hello").heartbeat);
  assert.equal(pings(wire), 1);
  wire.says(golden("pong"));
  await passed(20);
  assert.equal(pings(wire), 2);
  await passed(20);
  assert.deepEqual([pings(wire), wire.closed], [3, []]);
  await passed(10);
  assert.deepEqual(wire.closed, [1000]);
  assert.equal(states.at(-1), "offline");
  wire.says(golden("pong"));
  wire.ends(1006);
  await passed(timing.firstReconnect);
  assert.equal(Wire.all.length, 2, "what the old socket still reports is ignored");
});

test("any frame is a sign of life", async () => {
  const wire = await greeted();
  for (let count = 0; count < 10; count += 1) {
    await passed(20);
    wire.says({ ...golden("typing"), conversation: ROOM });
  }
  assert.deepEqual(wire.closed, []);
});

test("what is no frame of the protocol ends the socket", async () => {
  await settled();
  for (const nonsense of ["<html>", JSON.stringify(golden("pong")), "{}"]) {
    const wire = Wire.all.at(-1);
    wire?.open();
    wire?.says(nonsense);
    await settled();
    assert.deepEqual(wire?.closed, [1000], nonsense);
    await reopened();
  }
});

test("after 4403 the client gives up", async () => {
  (await greeted()).ends(4403, "foreign_origin");
  await assert.rejects(running, (error) => error instanceof Refused && error.detail === "foreign_origin");
  await passed(timing.longestReconnect);
  assert.equal(Wire.all.length, 1);
});

test("after 4401 the token is renewed, and a login that has ended ends the client", async () => {
  (await greeted()).ends(4401);
  await passed(timing.firstReconnect);
  assert.deepEqual(renewed, ["token"]);
  renew = () => Promise.reject(new LoginEnded());
  (await greeted()).ends(4401);
  await assert.rejects(running, LoginEnded);
});

test("after 4429 the client waits five seconds more", async () => {
  (await greeted()).ends(4429);
  await passed(timing.tooMany);
  assert.equal(Wire.all.length, 1);
  await passed(timing.firstReconnect);
  assert.equal(Wire.all.length, 2);
});

test("repeated failures take longer each time", async () => {
  await settled();
  let passedSeconds = 0;
  for (let count = 1; count <= 8; count += 1) {
    Wire.all.at(-1)?.ends(1006);
    passedSeconds += await reopened();
  }
  assert.ok(passedSeconds >= (0.5 + 1 + 2 + 4 + 8 + 16 + 30 + 30) / 2, `${passedSeconds} s`);
});

test("replies go to their frames; without one in time, or with the socket, the request fails", async () => {
  const wire = await greeted();
  const [one, two, three] = ["a", "b", "c"].map((id) => link.request({ type: "presence", conversation: id }, 5));
  const refs = wire.sent.map((frame) => frame["ref"] as string);
  wire.says({ type: "error", ref: refs[1] ?? null, code: "not_found", detail: "Gone.", errors: [] });
  wire.says({ ...golden("throttled"), ref: refs[0] ?? null });
  assert.equal((await one)?.type, "throttled");
  assert.equal((await two)?.type, "error");
  const late = assert.rejects(three as Promise<unknown>, /in time/);
  await passed(5);
  await late;
  const four = link.request({ type: "presence", conversation: "d" }, 5);
  const cut = assert.rejects(four, /ended/);
  wire.ends(1006);
  await cut;
  await assert.rejects(link.request({ type: "presence", conversation: "e" }, 5), /no socket/);
});

test("frames keep within half of the server's rate", async () => {
  const wire = await greeted();
  const count = () => wire.sent.filter((frame) => frame.type === "typing").length;
  for (let n = 0; n < 100; n += 1) link.say({ type: "typing", conversation: ROOM });
  assert.ok(count() < 50, `${count()} at once`);
  await passed(10);
  assert.equal(count(), 100, "none is lost");
});

test("a frame that the server would not accept does not fit", async () => {
  await greeted();
  const frame = { type: "send" as const, conversation: ROOM, message_type: "text" as const };
  assert.ok(link.fits({ ...frame, text: "ä".repeat(8_000) }));
  assert.ok(!link.fits({ ...frame, text: "ä".repeat(70_000) }));
});
