/** Where the tokens of a login are kept. */

import type { User } from "./rows.ts";

/**
 * The tokens of one login. `received` (milliseconds since 1970) and `user` are set by the client: with them a login
 * can be continued before the server has answered.
 */
export type Pair = { access: string; refresh: string; received?: number; user?: User };

/**
 * `lock` runs `action` while no other holder of the same tokens runs one, such as another tab: a refresh token is
 * valid once. In a browser: `navigator.locks.request("refresh", action)`. `load` returns also what another tab saved.
 */
export interface TokenStore {
  load(): Pair | null;
  save(pair: Pair | null): void;
  lock<T>(action: () => Promise<T>): Promise<T>;
}

/** Keeps the tokens as long as the program runs. */
export class TokensInMemory implements TokenStore {
  #pair: Pair | null = null;
  #last: Promise<unknown> = Promise.resolve();

  load(): Pair | null {
    return this.#pair;
  }

  save(pair: Pair | null): void {
    this.#pair = pair;
  }

  lock<T>(action: () => Promise<T>): Promise<T> {
    const done = this.#last.then(action);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
