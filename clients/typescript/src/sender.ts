/**
 * One attempt to send a message, over the socket while that is open, otherwise over REST. An attempt without an answer
 * is repeated with the same `client_id`: the server finds the stored message, or stores it then.
 */

import { Refused, Throttled } from "./errors.ts";
import type { ClientFrame, SendAck } from "./frames.ts";
import type { Link } from "./link.ts";
import type { Login } from "./login.ts";
import type { Stored } from "./outbox_store.ts";
import type { Message } from "./rows.ts";
import { timing } from "./timing.ts";

export class Sender {
  readonly #link: Link;
  readonly #login: Login;

  constructor(link: Link, login: Login) {
    this.#link = link;
    this.#login = login;
  }

  /**
   * Returns the message as stored. `overRest`: not over the socket.
   *
   * @throws Refused, Throttled, Unreachable, LoginEnded.
   */
  async send({ conversation, body, client_id }: Stored, overRest: boolean): Promise<Message> {
    const message = { message_type: "text" as const, ...body, client_id };
    const frame: ClientFrame = { type: "send", conversation, ...message };
    // A frame that is too large would end the socket; REST says what is wrong with it.
    if (!overRest && this.#link.isOpen && this.#link.fits(frame)) return this.#overSocket(frame);
    const path = `/conversations/${conversation}/messages/`;
    return (await this.#login.call("POST", path, { body: message })) as Message;
  }

  async #overSocket(frame: ClientFrame): Promise<Message> {
    const answer = await this.#link.request(frame, timing.answer);
    if (answer.type === "throttled") throw new Throttled(answer.policy, answer.retry_after);
    if (answer.type === "error") {
      const refused = new Refused(answer.code, answer.detail, { errors: answer.errors ?? [] });
      if (refused.needsLogin) await this.#login.renew(this.#login.access);
      throw refused;
    }
    return (answer as SendAck).data;
  }
}
