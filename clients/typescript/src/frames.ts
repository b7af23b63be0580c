/** The frames of the socket, by the names that this client uses. Their fields are generated. */

import type { ClientFrame, ServerFrame, components } from "./generated/frames.ts";

export type { ClientFrame, ServerFrame };

type Schemas = components["schemas"];

/** A durable event: a change in one conversation's log. */
export type Change = Extract<ServerFrame, { prev: number; position: number }>;

/** The reply to a frame with a `ref`. */
export type Answer = Extract<ServerFrame, { type: "ack" | "error" | "throttled" }>;

export type Hello = Schemas["Hello"];
export type SendAck = Schemas["SendAck"];
export type PresenceAck = Schemas["PresenceState"];

const ANSWERS: ReadonlySet<string> = new Set(["ack", "error", "throttled"]);

export function isChange(frame: ServerFrame): frame is Change {
  return "prev" in frame;
}

export function isAnswer(frame: ServerFrame): frame is Answer {
  return ANSWERS.has(frame.type);
}
