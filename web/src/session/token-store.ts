/** Keeps the tokens of the login in the browser, for all tabs. */

import type { Pair, TokenStore } from "@chat/client";

const KEY = "chat.tokens";
const LOCK = "chat.refresh";

export class StoredTokens implements TokenStore {
  #last: Promise<unknown> = Promise.resolve();

  load(): Pair | null {
    try {
      const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "null");
      return isPair(kept) ? kept : null;
    } catch {
      return null;
    }
  }

  save(pair: Pair | null): void {
    if (pair) localStorage.setItem(KEY, JSON.stringify(pair));
    else localStorage.removeItem(KEY);
  }

  /** A refresh token is valid once, so one tab at a time refreshes. */
  lock<T>(action: () => Promise<T>): Promise<T> {
    // Browsers have locks only on https and on this machine. Without them, tabs that refresh within the ten seconds in
    // which the server repeats its answer are still right.
    if (navigator.locks) return navigator.locks.request(LOCK, action) as Promise<T>;
    const done = this.#last.then(action);
    this.#last = done.catch(() => undefined);
    return done;
  }
}

function isPair(value: unknown): value is Pair {
  return typeof value === "object" && value !== null && "access" in value && "refresh" in value;
}
