/** Keeps a socket open as long as the login lasts: connects, reads `hello`, follows events, and reconnects. */

import { Connection, bytesOf, type Ending, type SocketConstructor } from "./connection.ts";
import { ChatError, LoginEnded, Refused, Unreachable } from "./errors.ts";
import type { ChatEvent, State } from "./events.ts";
import type { Answer, ClientFrame, ServerFrame } from "./frames.ts";
import type { Login } from "./login.ts";
import { Pauses } from "./pauses.ts";
import { RESUMED_TOGETHER, sleep, timing } from "./timing.ts";
import type { View } from "./view.ts";

const NOT_AUTHENTICATED = 4401;
const REFUSED = 4403;
const TOO_MANY = 4429;
const NO_SOCKET: Ending = { code: 1006, reason: "" };

/** What the link reports. */
export interface LinkOwner {
  emit(events: readonly ChatEvent[]): void;
  move(state: State): void;
  /** `hello` has arrived, and frames can be sent. */
  opened(): void;
  /** The conversation must be loaded again over REST. */
  reload(conversation: string): void;
}

export class Link {
  readonly #url: string;
  readonly #Socket: SocketConstructor;
  readonly #login: Login;
  readonly #view: View;
  readonly #owner: LinkOwner;
  readonly #pauses = new Pauses();
  #connection: Connection | null = null;
  #together = RESUMED_TOGETHER;
  #isOpen = false;
  #isLive = false;
  #wake = new AbortController();

  constructor(url: string, Socket: SocketConstructor, login: Login, view: View, owner: LinkOwner) {
    this.#url = new URL("ws/conversations", url.replace(/\/*$/, "/")).href.replace(/^http/, "ws");
    this.#Socket = Socket;
    this.#login = login;
    this.#view = view;
    this.#owner = owner;
  }

  /** Whether `hello` has arrived and frames can be sent. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Connects and reconnects until `signal` is aborted. @throws LoginEnded; Refused after the close code 4403. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = () => this.#connection?.close("closed");
    signal.addEventListener("abort", stop);
    const unwatch = this.#watched();
    try {
      while (!signal.aborted) {
        const began = performance.now();
        const { code, reason, least } = await this.#once(signal);
        if (signal.aborted) return;
        if (code === REFUSED) throw new Refused("refused", reason, { status: 403 });
        const pause = least + this.#pauses.after(code, (performance.now() - began) / 1000);
        this.#owner.move("offline");
        this.#wake = new AbortController();
        await sleep(pause, AbortSignal.any([signal, this.#wake.signal]));
      }
    } finally {
      signal.removeEventListener("abort", stop);
      unwatch();
    }
  }

  /** Sends a frame that needs no reply. It is dropped without a socket. */
  say(frame: ClientFrame): void {
    if (this.#isOpen) this.#connection?.say(frame);
  }

  /** Sends a frame and returns its reply. @throws Unreachable without a socket, or without a reply in time. */
  request(frame: ClientFrame, seconds: number): Promise<Answer> {
    const connection = this.#isOpen ? this.#connection : null;
    return connection ? connection.request(frame, seconds) : Promise.reject(new Unreachable("There is no socket."));
  }

  /** Whether the server accepts a frame of this size. */
  fits(frame: ClientFrame): boolean {
    const room = 100; // for the `ref`
    return bytesOf(JSON.stringify(frame)) + room < (this.#connection?.frameBytes ?? 0);
  }

  /** Requests the events that the view has missed, in as many `resume` frames as needed. */
  follow(): void {
    const connection = this.#connection;
    while (this.#isOpen && connection !== null && this.#view.missed.size > 0) {
      const ref = connection.newRef();
      const conversations = this.#view.beginResume(ref, this.#together);
      if (Object.keys(conversations).length > 0) connection.say({ type: "resume", ref, conversations });
    }
    this.#settle();
  }

  /** Runs one socket. Returns how it ended, and the least number of seconds to wait. */
  async #once(signal: AbortSignal): Promise<Ending & { least: number }> {
    this.#owner.move("connecting");
    try {
      const access = await this.#login.fresh();
      if (signal.aborted) return { ...NO_SOCKET, least: 0 };
      const ending = await this.#converse(access);
      if (ending.code === NOT_AUTHENTICATED && !signal.aborted) await this.#login.renew(access);
      if (ending.code === TOO_MANY) this.#owner.emit([{ type: "crowded" }]);
      return { ...ending, least: ending.code === TOO_MANY ? timing.tooMany : 0 };
    } catch (error) {
      if (error instanceof LoginEnded || !(error instanceof ChatError)) throw error;
      return { ...NO_SOCKET, least: error instanceof Refused ? error.retryAfter : 0 };
    }
  }

  async #converse(access: string): Promise<Ending> {
    this.#view.connected();
    const over = new AbortController();
    const socket = new this.#Socket(this.#url, ["chat.v1", `bearer.${access}`]);
    const connection = new Connection(socket, (frame) => this.#take(frame, connection));
    this.#connection = connection;
    this.#isOpen = this.#isLive = false;
    void this.#keepFresh(connection, access, over.signal);
    try {
      return await connection.ended;
    } finally {
      over.abort();
      if (this.#connection === connection) {
        this.#connection = null;
        this.#isOpen = this.#isLive = false;
      }
    }
  }

  #take(frame: ServerFrame, connection: Connection): void {
    const isFirst = !this.#isOpen;
    if (isFirst) {
      if (frame.type !== "hello") throw new TypeError(`${frame.type} before hello`);
      connection.greeted(frame);
      this.#together = Math.min(RESUMED_TOGETHER, frame.limits.resume_conversations ?? RESUMED_TOGETHER);
      this.#isOpen = true;
      this.#owner.move("catching_up");
    }
    this.#owner.emit(this.#view.take(frame));
    for (const conversation of this.#view.resets) {
      this.#view.resets.delete(conversation);
      this.#owner.reload(conversation);
    }
    const mayFollow = frame.type !== "error" && !("next" in frame && frame.next);
    if (mayFollow) this.follow();
    if (isFirst) this.#owner.opened();
  }

  #settle(): void {
    if (this.#isLive || !this.#isOpen || !this.#view.isCaughtUp) return;
    this.#isLive = true;
    this.#owner.move("live");
  }

  /** Sends each new access token to the server, which otherwise closes the socket when the old one expires. */
  async #keepFresh(connection: Connection, access: string, over: AbortSignal): Promise<void> {
    const pauses = new Pauses();
    while (!over.aborted) {
      try {
        const token = await this.#login.following(access, over);
        if (over.aborted) return;
        const answer = await connection.request({ type: "auth", token }, timing.rest);
        if (answer.type !== "ack") break; // of another login: it needs another socket
        access = token;
      } catch (error) {
        if (error instanceof LoginEnded) break;
        await sleep(pauses.next(), over);
      }
    }
    connection.close("not authenticated");
  }

  /** Follows the network as far as this platform reports it. Returns what ends that. */
  #watched(): () => void {
    const { addEventListener, removeEventListener, document } = globalThis as Partial<typeof globalThis>;
    if (!addEventListener || !removeEventListener) return () => undefined;
    const back = () => {
      this.#connection?.ping();
      this.#wake.abort();
    };
    const visible = () => {
      if (document?.visibilityState === "visible") back();
    };
    const away = () => this.#connection?.close("offline");
    const listeners = [["online", back], ["offline", away]] as const;
    for (const [name, listener] of listeners) addEventListener(name, listener);
    document?.addEventListener("visibilitychange", visible);
    return () => {
      for (const [name, listener] of listeners) removeEventListener(name, listener);
      document?.removeEventListener("visibilitychange", visible);
    };
  }
}
