/** All that runs during one login: the socket, the view of the conversations, the outbox, and loads over REST. */

import { ChatError, LoginEnded, Refused, Throttled, Unreachable } from "./errors.ts";
import type { SocketConstructor } from "./connection.ts";
import type { ChatEvent, State } from "./events.ts";
import type { PresenceAck } from "./frames.ts";
import { Link } from "./link.ts";
import type { Login } from "./login.ts";
import { Outbox, type Pending } from "./outbox.ts";
import type { OutboxStore } from "./outbox_store.ts";
import { Pauses } from "./pauses.ts";
import { ReadMarks } from "./read_marks.ts";
import type { Call, Query } from "./rest.ts";
import { rowOf, type ConversationDetail, type Message, type MessageBody, type MessagePage, type User } from "./rows.ts";
import { Sender } from "./sender.ts";
import { sleep, timing } from "./timing.ts";
import { View } from "./view.ts";

const LONGEST_PAGE = 500;

/** What a session reports. `failed` is called once, with the error that ended it. */
export interface SessionOwner {
  emit(events: readonly ChatEvent[]): unknown;
  move(state: State): unknown;
  failed(error: unknown): unknown;
}

type Options = { url: string; keep: number; WebSocket: SocketConstructor; outbox: OutboxStore };

export class Session {
  readonly login: Login;
  readonly view: View;
  readonly outbox: Outbox;
  readonly #link: Link;
  readonly #marks: ReadMarks;
  readonly #owner: SessionOwner;
  readonly #loads = new Map<string, Promise<Message[]>>();
  readonly #typed = new Map<string, number>();
  #running: AbortController | null = null;
  #knowsUser = false;

  constructor(login: Login, options: Options, owner: SessionOwner) {
    this.login = login;
    this.#owner = owner;
    this.view = new View(login.user.id, options.keep);
    this.#link = new Link(options.url, options.WebSocket, login, this.view, {
      emit: (events) => this.#emit(events),
      move: (state) => owner.move(state),
      opened: () => this.#opened(),
      reload: (conversation) => void this.#reload(conversation),
    });
    this.#marks = new ReadMarks(this.#link);
    const sender = new Sender(this.#link, login);
    this.outbox = new Outbox(
      login.user.id,
      options.outbox,
      (stored, overRest) => sender.send(stored, overRest),
      (conversation) => {
        // The answer to a send may come after its event: nothing else would remove the message from the outbox then.
        this.#advanced(conversation);
        owner.emit([{ type: "pending", conversation }]);
      },
    );
  }

  /** Connects in the background, and keeps the connection until `stop`. */
  start(): void {
    if (this.#running !== null) return;
    const running = new AbortController();
    this.#running = running;
    this.#marks.start(running.signal);
    this.outbox.start(running.signal);
    this.#link.run(running.signal).catch((error: unknown) => this.#fail(error));
  }

  stop(): void {
    this.#running?.abort();
    this.#running = null;
  }

  /** Loads messages older than those held. */
  load(conversation: string, limit: number): Promise<Message[]> {
    const known = this.#loads.get(conversation);
    if (known !== undefined) return known;
    const loading = this.#load(conversation, limit).finally(() => this.#loads.delete(conversation));
    this.#loads.set(conversation, loading);
    return loading;
  }

  send(conversation: string, body: MessageBody): Pending {
    this.#typed.delete(conversation); // what is typed next is the next message
    return this.outbox.add(conversation, body);
  }

  read(conversation: string, seq: number): void {
    const row = this.view.held.get(conversation)?.row;
    if (row === undefined || seq <= row.read_seq) return;
    const upTo = Math.min(seq, row.last_seq);
    this.#emit(this.view.read(conversation, upTo));
    this.#marks.move(conversation, upTo);
  }

  typing(conversation: string): void {
    const now = performance.now() / 1000;
    if (now - (this.#typed.get(conversation) ?? -Infinity) < timing.typing) return;
    this.#typed.set(conversation, now);
    this.#link.say({ type: "typing", conversation });
  }

  async presence(conversation: string): Promise<string[] | null> {
    const answer = await this.#link.request({ type: "presence", conversation }, timing.rest);
    if (answer.type === "throttled") throw new Throttled(answer.policy, answer.retry_after);
    if (answer.type === "error") throw new Refused(answer.code, answer.detail);
    return (answer as PresenceAck).data.online;
  }

  async call(method: string, path: string, call: Call = {}): Promise<unknown> {
    try {
      const answer = await this.login.call(method, path, call);
      // Whatever shows the own account or changes it: its new names come as an event only to conversations.
      if (/^\/?me\/?$/.test(path) && answer !== undefined) this.login.know(answer as User);
      return answer;
    } catch (error) {
      if (error instanceof LoginEnded) this.#fail(error);
      throw error;
    }
  }

  #emit(events: readonly ChatEvent[]): void {
    const changed = new Set<string>();
    for (const event of events) {
      if (event.type === "message") {
        const { message } = event;
        // The message is in the conversation now: it leaves the outbox before a listener sees both.
        if (message.sent_by.id === this.view.user) this.outbox.applied(message);
        changed.add(message.conversation);
      } else if (event.type === "reset" || event.type === "conversation_removed") {
        changed.add(event.conversation);
      } else if (event.type === "member" && event.member.user.id === this.view.user) {
        const { first_name, last_name } = event.member.user;
        this.login.know({ first_name, last_name });
      }
    }
    this.#owner.emit(events);
    for (const conversation of changed) this.#advanced(conversation);
  }

  #advanced(conversation: string): void {
    this.outbox.advanced(conversation, this.view.held.get(conversation)?.row.position ?? null);
  }

  #opened(): void {
    this.outbox.wake();
    this.#marks.wake();
    if (!this.#knowsUser) void this.#readUser();
  }

  async #readUser(): Promise<void> {
    this.#knowsUser = true;
    try {
      await this.call("GET", "/me/");
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      this.#knowsUser = false; // the next socket tries again
    }
  }

  async #load(conversation: string, limit: number): Promise<Message[]> {
    const held = this.view.held.get(conversation);
    if (held === undefined) throw new Refused("not_found", "This conversation is not in the list.", { status: 404 });
    if (!held.hasOlder) return [];
    held.loading();
    try {
      const page = await this.#page(conversation, held.row.position, { before: held.floor + 1, limit });
      held.load(page.items, page.has_more);
      return page.items;
    } finally {
      held.loaded();
    }
  }

  /** Fetches a page as of `position` or later: the server's cache may be up to two seconds old. */
  async #page(conversation: string, position: number, query: Query): Promise<MessagePage> {
    const until = performance.now() + timing.rest * 1000;
    for (;;) {
      const path = `/conversations/${conversation}/messages/`;
      const page = (await this.call("GET", path, { query })) as MessagePage;
      if (page.position >= position) return page;
      if (performance.now() > until) throw new Unreachable("The server's pages stay behind its events.");
      await sleep(timing.stale);
    }
  }

  /** Loads a conversation again. Repeats until it succeeds, the conversation is gone, or it has been replaced. */
  async #reload(conversation: string): Promise<void> {
    const signal = this.#running?.signal;
    const pauses = new Pauses();
    const held = this.view.held.get(conversation);
    while (held !== undefined && this.view.held.get(conversation) === held && signal && !signal.aborted) {
      try {
        const detail = (await this.call("GET", `/conversations/${conversation}/`)) as ConversationDetail;
        if (detail.role === null) return this.#emit(this.view.drop(conversation, "not_a_member"));
        const count = held.messages.length;
        const query = { before: detail.last_seq + 1, limit: Math.min(count, LONGEST_PAGE) };
        const page = count > 0 ? await this.#page(conversation, detail.position, query) : null;
        this.#emit(this.view.reload(rowOf(detail), page));
        this.#link.follow();
        return;
      } catch (error) {
        if (!(error instanceof ChatError)) throw error;
        if (error instanceof LoginEnded) return;
        if (error instanceof Refused && [403, 404].includes(error.status)) {
          return this.#emit(this.view.drop(conversation, "not_a_member"));
        }
      }
      await sleep(pauses.next(), signal);
    }
  }

  #fail(error: unknown): void {
    if (this.#running === null) return;
    this.stop();
    this.#owner.failed(error);
  }
}
