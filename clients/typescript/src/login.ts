/**
 * Keeps the tokens of one login fresh. At most one refresh runs at a time, over all tabs that share the TokenStore.
 *
 * A refresh token is valid once. For ten seconds the server returns the same pair for it again, so a refresh without a
 * response is repeated at once. Only 401 on `/refresh/` ends a login.
 */

import { LoginEnded, Refused, Unreachable } from "./errors.ts";
import type { Call, Rest } from "./rest.ts";
import type { User } from "./rows.ts";
import { RENEWAL_MARGIN, sleep } from "./timing.ts";
import type { Pair, TokenStore } from "./tokens.ts";

const ATTEMPTS = 3;
const AT_ONCE = 0.2;
/** A sleeping machine stops its timers, so a long wait is checked at least this often. */
const LONGEST_WAIT = 30;

export class Login {
  readonly #rest: Rest;
  readonly #tokens: TokenStore;
  readonly #changed: (user: User) => void;
  #pair: Pair;
  #user: User;
  #renewing: Promise<void> | null = null;

  /** `changed` is called after the user's own account has changed. */
  constructor(rest: Rest, tokens: TokenStore, pair: Pair & { user: User }, changed: (user: User) => void) {
    this.#rest = rest;
    this.#tokens = tokens;
    this.#changed = changed;
    this.#user = pair.user;
    this.#pair = { ...pair, received: pair.received ?? Date.now() };
  }

  get user(): User {
    return this.#user;
  }

  get access(): string {
    return this.#pair.access;
  }

  /** Replaces the fields of the user that have changed. */
  know(change: Partial<User>): void {
    const user = { ...this.#user, ...change };
    if (JSON.stringify(user) === JSON.stringify(this.#user)) return;
    this.#user = user;
    // Inside the lock: another tab may be about to save newer tokens.
    void this.#tokens.lock(async () => {
      const kept = this.#kept();
      if (kept !== null) this.#tokens.save({ ...kept, user });
    });
    this.#changed(user);
  }

  /** Returns an access token with some lifetime left. @throws LoginEnded, Unreachable, Refused. */
  async fresh(): Promise<string> {
    if (this.#secondsLeft() <= 0) await this.renew(this.access);
    return this.access;
  }

  /** Waits until `known` is due for renewal or has been replaced; returns its successor. Throws as `fresh`. */
  async following(known: string, signal: AbortSignal): Promise<string> {
    while (this.access === known && !signal.aborted) {
      const left = this.#secondsLeft();
      if (left <= 0) await this.fresh();
      else await sleep(Math.min(left, LONGEST_WAIT), signal);
    }
    return this.access;
  }

  /** Replaces the access token unless it already differs from `spent`. Throws as `fresh`. */
  renew(spent: string): Promise<void> {
    if (this.access !== spent) return Promise.resolve();
    this.#renewing ??= this.#renewed(spent).finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  /** As `Rest.call`, authenticated. Renews a rejected token once and repeats the request. */
  async call(method: string, path: string, call: Call = {}): Promise<unknown> {
    const access = await this.fresh();
    try {
      return await this.#rest.call(method, path, { ...call, access });
    } catch (error) {
      if (!(error instanceof Refused && error.needsLogin)) throw error;
    }
    await this.renew(access);
    return this.#rest.call(method, path, { ...call, access: this.access });
  }

  /** Removes the tokens, unless the store holds those of another user's later login. */
  forget(): void {
    if (this.#kept() !== null) this.#tokens.save(null);
  }

  async #renewed(spent: string): Promise<void> {
    await this.#tokens.lock(async () => {
      const kept = this.#kept();
      if (kept === null) throw new LoginEnded("The login was ended elsewhere.");
      if (kept.access !== spent) {
        this.#pair = kept; // another tab has renewed it
        return;
      }
      try {
        const { access, refresh } = (await this.#refreshed(kept.refresh)) as Pair;
        this.#pair = { access, refresh, received: Date.now(), user: this.#user };
      } catch (error) {
        if (!(error instanceof Refused && error.status === 401)) throw error;
        this.#tokens.save(null);
        throw new LoginEnded("The login has ended. Log in again.", { cause: error });
      }
      this.#tokens.save(this.#pair);
    });
  }

  async #refreshed(refresh: string): Promise<unknown> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#rest.call("POST", "/refresh/", { body: { refresh } });
      } catch (error) {
        if (!(error instanceof Unreachable) || attempt === ATTEMPTS) throw error;
      }
      await sleep(AT_ONCE);
    }
  }

  /** Returns the stored pair of this user; null if there is none, or another user has logged in. */
  #kept(): Pair | null {
    const kept = this.#tokens.load();
    return kept?.user && kept.user.id !== this.#user.id ? null : kept;
  }

  /** Seconds until the token should be renewed. It compares the server's times only with each other: clocks differ. */
  #secondsLeft(): number {
    const lived = (Date.now() - (this.#pair.received ?? 0)) / 1000;
    return lifetime(this.access) * (1 - RENEWAL_MARGIN) - lived;
  }
}

/** Logs in with a password. @throws Refused (`code` says what is missing), Unreachable. */
export async function begun(rest: Rest, credentials: object): Promise<Pair & { user: User }> {
  const body = await rest.call("POST", "/login/", { body: credentials });
  const { access, refresh, user } = body as Pair & { user: User };
  return { access, refresh, user };
}

/** A token's lifetime in seconds. */
function lifetime(access: string): number {
  try {
    const claims = access.split(".")[1]?.replaceAll("-", "+").replaceAll("_", "/") ?? "";
    const { exp, iat } = JSON.parse(atob(claims)) as { exp: number; iat: number };
    return Number.isFinite(exp - iat) ? exp - iat : 300;
  } catch {
    return 300;
  }
}
