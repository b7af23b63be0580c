/**
 * One WebSocket: opened within a deadline, kept within the server's limits, and given up when it falls silent.
 *
 * A page does not see the server's pings, so it sends frames of its own, and counts from them: browsers run the timers
 * of a hidden page once a minute.
 */

import { Unreachable } from "./errors.ts";
import { isAnswer, type Answer, type ClientFrame, type Hello, type ServerFrame } from "./frames.ts";
import { Pace } from "./pauses.ts";
import { timing } from "./timing.ts";

const OPEN = 1;
const NORMAL = 1000;
const ABNORMAL = 1006;
const MOST_ANSWERS = 256;

/** The part of a WebSocket that the client uses: those of browsers, of Node and of the package `ws` have it. */
export interface SocketLike {
  readonly readyState: number;
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

export type SocketConstructor = new (url: string, protocols: string[]) => SocketLike;

/** How a socket ended. `code` is 1006 without a close frame. */
export type Ending = { code: number; reason: string };

type Asker = { resolve: (answer: Answer) => void; reject: (error: Unreachable) => void };

export class Connection {
  readonly ended: Promise<Ending>;
  /** The largest frame that the server accepts, in bytes. */
  frameBytes = 131_072;
  readonly #socket: SocketLike;
  readonly #take: (frame: ServerFrame) => void;
  readonly #answers = new Map<string, Asker>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #frames = new Pace(25);
  #bytes = new Pace(200_000);
  #refs = 0;
  #isOver = false;
  #over: (ending: Ending) => void = () => undefined;

  /** `take` receives each frame. If it throws, the frame is not of the protocol, and the socket is given up. */
  constructor(socket: SocketLike, take: (frame: ServerFrame) => void) {
    this.#socket = socket;
    this.#take = take;
    this.ended = new Promise((resolve) => {
      this.#over = resolve;
    });
    this.#within(timing.open);
    socket.onopen = () => this.#within(timing.hello);
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#end({ code: event.code ?? ABNORMAL, reason: event.reason ?? "" });
    socket.onerror = () => undefined; // a close event follows
  }

  /** `hello` has arrived: its limits hold, and the connection is watched from here on. */
  greeted({ heartbeat, limits }: Hello): void {
    this.#frames = new Pace(limits.frames_per_second / 2);
    this.#bytes = new Pace((limits.bytes_per_second ?? 400_000) / 2);
    this.frameBytes = limits.frame_bytes;
    this.#timers.add(setInterval(() => this.ping(), Math.min(heartbeat, timing.heartbeat) * 1000));
  }

  /** Sends a frame within the server's rates. It is lost if the socket ends before that. */
  say(frame: ClientFrame): void {
    const text = JSON.stringify(frame);
    const wait = Math.max(this.#frames.take(1), this.#bytes.take(bytesOf(text)));
    const send = () => {
      if (!this.#isOver && this.#socket.readyState === OPEN) this.#socket.send(text);
    };
    if (wait === 0) return send();
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      send();
    }, wait * 1000);
    this.#timers.add(timer);
  }

  /** Sends a frame and returns its reply. @throws Unreachable without one in time. */
  request(frame: ClientFrame, seconds: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#isOver || this.#answers.size >= MOST_ANSWERS) return reject(new Unreachable("There is no socket."));
      const ref = this.newRef();
      const settle = () => {
        clearTimeout(timer);
        this.#timers.delete(timer);
        this.#answers.delete(ref);
      };
      const timer = setTimeout(() => {
        settle();
        reject(new Unreachable("No reply in time."));
      }, seconds * 1000);
      this.#timers.add(timer);
      this.#answers.set(ref, {
        resolve: (answer) => {
          settle();
          resolve(answer);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      });
      this.say({ ...frame, ref });
    });
  }

  newRef(): string {
    this.#refs += 1;
    return `c${this.#refs}`;
  }

  /** Asks for a sign of life. Without any frame in time the socket is given up. */
  ping(): void {
    if (this.#isOver || this.#socket.readyState !== OPEN) return;
    this.say({ type: "ping" });
    if (this.#deadline === undefined) this.#within(timing.silence);
  }

  /** Ends it at once: what the socket still reports is ignored. */
  close(reason = ""): void {
    this.#end({ code: ABNORMAL, reason });
  }

  #receive(data: unknown): void {
    clearTimeout(this.#deadline);
    this.#deadline = undefined;
    try {
      const frame = JSON.parse(String(data)) as ServerFrame;
      if (isAnswer(frame)) this.#answers.get(String(frame.ref))?.resolve(frame);
      this.#take(frame);
    } catch (error) {
      // From a foreign or broken server. Reconnecting starts afresh.
      this.#end({ code: ABNORMAL, reason: `not understood: ${String(error)}` });
    }
  }

  #within(seconds: number): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.close("silent"), seconds * 1000);
  }

  #end(ending: Ending): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    clearTimeout(this.#deadline);
    for (const { reject } of [...this.#answers.values()]) reject(new Unreachable("The socket ended."));
    for (const timer of this.#timers) clearTimeout(timer);
    socket.close(NORMAL);
    this.#over(ending);
  }
}

const encoder = new TextEncoder();

export function bytesOf(text: string): number {
  return encoder.encode(text).length;
}
