import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace, Pauses } from "../src/pauses.ts";
import { timing } from "../src/timing.ts";

const LOST = 1006;
const RESTARTING = 1012;
const { firstReconnect: first, longestReconnect: longest } = timing;

function grown(): Pauses {
  const pauses = new Pauses();
  for (let count = 0; count < 12; count += 1) pauses.after(LOST, 0.1);
  return pauses;
}

test("pauses grow to a bound, and no two clients wait alike", () => {
  const [one, other] = [new Pauses(), new Pauses()].map((pauses) =>
    Array.from({ length: 12 }, () => pauses.after(LOST, 0.1)),
  );
  assert.ok(one && other);
  for (const [n, pause] of one.slice(0, 6).entries()) {
    assert.ok((first * 2 ** n) / 2 <= pause && pause <= first * 2 ** n, `pause ${n}: ${pause}`);
  }
  assert.ok(Math.max(...one) <= longest);
  assert.notDeepEqual(one, other);
});

test("after a steady socket the pause is short again", () => {
  assert.ok(grown().after(LOST, 60) <= first);
  assert.ok(grown().after(LOST, 2) > first);
});

test("after a restart the first pause is short, and repeated ones grow", () => {
  assert.ok(grown().after(RESTARTING, 2) <= first);
  assert.ok(grown().after(RESTARTING, 0.01) > first);
});

test("frames keep to the rate of the server, in bursts of a second, from the first moment of a page on", () => {
  const pace = new Pace(16);
  const waits = Array.from({ length: 48 }, () => pace.take(1, 0));
  assert.deepEqual(waits.slice(0, 16), Array<number>(16).fill(0));
  assert.equal(waits[47], 2, "forty-eight at sixteen a second, less the burst");
  assert.equal(pace.take(1, 100), 0, "after a rest there is no wait");
});
