/** The client's public interface: the login, the user's conversations, the events in them, and sending. */

import type { SocketConstructor } from "./connection.ts";
import { ChatError, LoginEnded, Refused } from "./errors.ts";
import type { ChatEvent, State } from "./events.ts";
import { Login, begun } from "./login.ts";
import type { Pending } from "./outbox.ts";
import { OutboxInMemory, type OutboxStore } from "./outbox_store.ts";
import { Rest, type Fetch, type Query } from "./rest.ts";
import type { Conversation, Credentials, Message, MessageBody, User } from "./rows.ts";
import { Session } from "./session.ts";
import { sleep, timing } from "./timing.ts";
import { TokensInMemory, type Pair, type TokenStore } from "./tokens.ts";

/**
 * `url` is the server's base URL. `keep` bounds the messages held per conversation from events, 500 by default; those
 * that `load` fetched stay until `trim`. `tokens` and `outbox` keep the login and unsent messages over a reload; by
 * default both last as long as the program. `fetch` and `WebSocket` are those of the platform; Node before 22 has no
 * WebSocket.
 */
export type ChatOptions = {
  url: string;
  keep?: number;
  tokens?: TokenStore;
  outbox?: OutboxStore;
  fetch?: Fetch;
  WebSocket?: SocketConstructor;
};

export type RequestOptions = { body?: unknown; query?: Query; signal?: AbortSignal };

const NO_ROWS: ReadonlyMap<string, Conversation> = new Map();

export class Chat {
  readonly #options: { url: string; keep: number; outbox: OutboxStore; WebSocket: SocketConstructor };
  readonly #tokens: TokenStore;
  readonly #rest: Rest;
  readonly #listeners = new Set<(event: ChatEvent) => void>();
  #session: Session | null = null;
  #state: State = "logged_out";

  constructor(options: ChatOptions) {
    const WebSocket = options.WebSocket ?? globalThis.WebSocket;
    if (WebSocket === undefined) throw new TypeError("This platform has no WebSocket: pass one as an option.");
    const { url, keep = 500, outbox = new OutboxInMemory() } = options;
    this.#options = { url, keep, outbox, WebSocket };
    this.#tokens = options.tokens ?? new TokensInMemory();
    this.#rest = new Rest(url, options.fetch ?? ((address, init) => globalThis.fetch(address, init)));
  }

  /** The logged-in user; null without a login. */
  get user(): User | null {
    return this.#session?.login.user ?? null;
  }

  get state(): State {
    return this.#state;
  }

  /** The user's conversations by id: the same map until one of them changes. */
  get conversations(): ReadonlyMap<string, Conversation> {
    return this.#session?.view.rows ?? NO_ROWS;
  }

  /**
   * Logs in and connects in the background. `code` is that of the second factor, `mailed_code` the one mailed after too
   * many wrong passwords.
   *
   * @throws Refused (`code`: invalid_credentials, second_factor_required, not_activated, …), Throttled, Unreachable.
   */
  async logIn(credentials: Credentials): Promise<User> {
    return this.#begin(await begun(this.#rest, credentials));
  }

  /** Continues a login whose tokens another route returned. @throws Refused, Unreachable. */
  async adopt({ access, refresh }: Pair): Promise<User> {
    const user = (await this.#rest.call("GET", "/me/", { access })) as User;
    return this.#begin({ access, refresh, user });
  }

  /**
   * Continues the login kept in the TokenStore, or the one that `close` has paused. It works offline: the client
   * connects once the server is there. Returns false without a login.
   *
   * @throws Unreachable, Refused: only for tokens that this client has not saved itself.
   */
  async resumeLogin(): Promise<boolean> {
    const kept = this.#tokens.load();
    if (this.#session === null) {
      if (kept === null) return false;
      const user = kept.user ?? (await this.#userOf(kept));
      if (user === null) return false;
      this.#session ??= this.#opened({ ...(this.#tokens.load() ?? kept), user });
    }
    this.#session.start();
    return true;
  }

  /** Ends the login on the server, if that can be reached, and here; unsent messages are given up. */
  async logOut(): Promise<void> {
    const session = this.#session;
    if (session === null) return;
    session.stop();
    const goodbye = session.login.call("POST", "/logout/").catch((error: unknown) => {
      if (!(error instanceof ChatError)) throw error;
    });
    await Promise.race([goodbye, sleep(timing.goodbye)]);
    session.login.forget();
    session.outbox.clear();
    this.#leave(session);
  }

  /** Closes the socket and sends nothing more. The login and unsent messages are kept: `resumeLogin` goes on. */
  close(): void {
    if (this.#session === null) return;
    this.#session.stop();
    this.#move("offline");
  }

  /** The newest messages held, ascending by seq, without holes; the same array until one of them changes. */
  messages(conversation: string): readonly Message[] {
    return this.#session?.view.held.get(conversation)?.messages ?? [];
  }

  /** The user's messages that are not among `messages` yet, in order; the same array until one of them changes. */
  pending(conversation: string): readonly Pending[] {
    return this.#session?.outbox.list(conversation) ?? [];
  }

  /** Whether there are messages older than those held. */
  hasOlder(conversation: string): boolean {
    return this.#session?.view.held.get(conversation)?.hasOlder ?? false;
  }

  /** Loads up to `limit` messages older than those held, and holds them. Returns them; [] at the start.
   * @throws Refused, Unreachable. */
  async load(conversation: string, limit = 50): Promise<Message[]> {
    return this.#required().load(conversation, limit);
  }

  /** Drops all but the newest `keep` messages of a conversation, for example when the user leaves it. */
  trim(conversation: string): void {
    this.#session?.view.held.get(conversation)?.trim();
  }

  /** Sends a message once, whatever happens on the way. @throws OutboxFull, LoginEnded; whatever the store throws. */
  send(conversation: string, body: MessageBody): Pending {
    return this.#required().send(conversation, body);
  }

  /** Sends a refused message again, or one that waits at once. */
  retry(conversation: string, client_id: string): void {
    this.#session?.outbox.retry(conversation, client_id);
  }

  /** Gives a message up. One that is being sent may have been stored: then it arrives. */
  discard(conversation: string, client_id: string): void {
    this.#session?.outbox.discard(conversation, client_id);
  }

  /** Returns the message as stored. It also arrives as an event. @throws Refused, Unreachable. */
  edit(message: Message, change: { text?: string; media_url?: string }): Promise<Message> {
    return this.request("PATCH", `/conversations/${message.conversation}/messages/${message.id}/`, { body: change });
  }

  /** @throws Refused, Unreachable. */
  delete(message: Message): Promise<void> {
    return this.request("DELETE", `/conversations/${message.conversation}/messages/${message.id}/`);
  }

  /** Marks the messages up to `seq` as read, here at once and on the server when it is reached. */
  read(conversation: string, seq: number): void {
    this.#session?.read(conversation, seq);
  }

  /** Signals that the user is typing. Call it at each key: it is sent once in three seconds, and may be lost. */
  typing(conversation: string): void {
    this.#session?.typing(conversation);
  }

  /** The members who are online; null if unknown, empty above 200 members. @throws Unreachable, Refused, Throttled. */
  async presence(conversation: string): Promise<string[] | null> {
    return this.#required().presence(conversation);
  }

  /**
   * Calls any other route, with the login if there is one; `path` is without `/api/v1`.
   *
   * @throws Refused, Throttled, Unreachable, LoginEnded; the reason of `signal` once it is aborted.
   */
  async request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const target = this.#session ?? this.#rest;
    return (await target.call(method, path, options)) as T;
  }

  /** Calls `listener` with every event, after it has been applied. Returns what ends that. */
  subscribe(listener: (event: ChatEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #required(): Session {
    if (this.#session === null) throw new LoginEnded("Log in first.");
    return this.#session;
  }

  async #begin(pair: Pair & { user: User }): Promise<User> {
    const kept = { ...pair, received: Date.now() };
    await this.#tokens.lock(async () => this.#tokens.save(kept));
    this.#session?.stop();
    this.#session = this.#opened(kept);
    this.#session.start();
    return pair.user;
  }

  #opened(pair: Pair & { user: User }): Session {
    const login = new Login(this.#rest, this.#tokens, pair, (user) => this.#emit([{ type: "user", user }]));
    // A former session may still report: it is over.
    const session: Session = new Session(login, this.#options, {
      emit: (events) => this.#session === session && this.#emit(events),
      move: (state) => this.#session === session && this.#move(state),
      failed: (error) => this.#session === session && this.#failed(session, error),
    });
    return session;
  }

  async #userOf(pair: Pair): Promise<User | null> {
    const login = new Login(this.#rest, this.#tokens, { ...pair, user: { id: "" } as User }, () => undefined);
    try {
      return (await login.call("GET", "/me/")) as User;
    } catch (error) {
      if (error instanceof LoginEnded) return null;
      throw error;
    }
  }

  #failed(session: Session, error: unknown): void {
    if (error instanceof LoginEnded) {
      this.#leave(session);
      this.#emit([{ type: "login_ended" }]);
    } else {
      this.#move("offline");
      if (!(error instanceof Refused)) throw error;
      this.#emit([{ type: "refused", reason: error.detail }]);
    }
  }

  #leave(session: Session): void {
    if (this.#session !== session) return;
    this.#session = null;
    this.#move("logged_out");
  }

  #move(state: State): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#emit([{ type: "state", state }]);
  }

  #emit(events: readonly ChatEvent[]): void {
    for (const event of events) {
      for (const listener of [...this.#listeners]) {
        try {
          listener(event);
        } catch (error) {
          // A listener's own fault must not stop the client, nor be hidden.
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    }
  }
}
