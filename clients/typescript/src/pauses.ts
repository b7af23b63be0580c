/** Exponential back-off with jitter, so that a thousand clients of one server do not reconnect at once; and pacing. */

import { timing } from "./timing.ts";

const RESTARTING = 1012;
const SERVED_SECONDS = 1;

/** Pauses in seconds that double on average, up to `longest`. */
export class Pauses {
  readonly #first: number;
  readonly #longest: number;
  #next: number;

  constructor(first = timing.firstReconnect, longest = timing.longestReconnect) {
    this.#first = first;
    this.#longest = longest;
    this.#next = first;
  }

  /**
   * Returns the pause after a socket that closed with `code` after `lived` seconds. A restarting server closes the
   * sockets it has served with 1012: these reconnect soon. One that closes every new socket so is not ready yet.
   */
  after(code: number, lived: number): number {
    if (lived > timing.steady || (code === RESTARTING && lived > SERVED_SECONDS)) this.reset();
    return this.next();
  }

  next(): number {
    const pause = this.#next;
    this.#next = Math.min(2 * pause, this.#longest);
    return pause * (0.5 + Math.random() / 2);
  }

  reset(): void {
    this.#next = this.#first;
  }
}

/** Limits to `rate` per second, in bursts of at most as many: below the server's limit for one socket. */
export class Pace {
  readonly #rate: number;
  #freeAt = -Infinity;

  constructor(rate: number) {
    this.#rate = rate;
  }

  /** Takes `cost`, and returns in how many seconds it is within the rate. `now` is in seconds, on any steady clock. */
  take(cost: number, now = performance.now() / 1000): number {
    this.#freeAt = Math.max(this.#freeAt, now - 1) + cost / this.#rate;
    return Math.max(0, this.#freeAt - now);
  }
}
