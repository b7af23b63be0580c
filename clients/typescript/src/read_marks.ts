/** The user's read marks on their way to the server: at most one a conversation at a time, always the newest. */

import { Refused, Throttled } from "./errors.ts";
import type { Link } from "./link.ts";
import { Pauses } from "./pauses.ts";
import { sleep, timing } from "./timing.ts";

export class ReadMarks {
  readonly #link: Link;
  readonly #wanted = new Map<string, number>();
  readonly #sending = new Set<string>();
  #ended: AbortSignal = AbortSignal.abort();

  constructor(link: Link) {
    this.#link = link;
  }

  /** Sends until `ended` is aborted. */
  start(ended: AbortSignal): void {
    this.#ended = ended;
  }

  move(conversation: string, seq: number): void {
    this.#wanted.set(conversation, Math.max(seq, this.#wanted.get(conversation) ?? 0));
    void this.#send(conversation);
  }

  /** The socket has opened: what could not be sent is sent now. */
  wake(): void {
    for (const conversation of this.#wanted.keys()) void this.#send(conversation);
  }

  async #send(conversation: string): Promise<void> {
    if (this.#sending.has(conversation)) return;
    this.#sending.add(conversation);
    const pauses = new Pauses();
    try {
      let seq: number | undefined;
      while ((seq = this.#wanted.get(conversation)) !== undefined && this.#link.isOpen && !this.#ended.aborted) {
        const pause = await this.#attempt(conversation, seq);
        if (pause === 0 && this.#wanted.get(conversation) === seq) this.#wanted.delete(conversation);
        if (pause > 0) await sleep(Math.max(pause, pauses.next()), this.#ended);
      }
    } finally {
      this.#sending.delete(conversation);
    }
  }

  /** Returns 0 once it is settled; otherwise in how many seconds it may be sent again. */
  async #attempt(conversation: string, seq: number): Promise<number> {
    try {
      const answer = await this.#link.request({ type: "read", conversation, seq }, timing.rest);
      if (answer.type === "throttled") throw new Throttled(answer.policy, answer.retry_after);
      if (answer.type === "error") throw new Refused(answer.code, answer.detail);
      return 0;
    } catch (error) {
      if (error instanceof Throttled) return error.retryAfter;
      const isFinal = error instanceof Refused && !error.mayPass && !error.needsLogin;
      return isFinal ? 0 : timing.firstReconnect;
    }
  }
}
