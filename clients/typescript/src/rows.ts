/** The server's rows, by the names that this client uses. Their fields are generated. */

import type { components as frames } from "./generated/frames.ts";
import type { components as rest } from "./generated/rest.ts";

export type Person = rest["schemas"]["Person"];
export type Message = rest["schemas"]["Message"];
export type Member = rest["schemas"]["Member"];
export type Notification = rest["schemas"]["Notification"];

/** A row of the list, as of `position`. The text of `last_message` may be cut to 200 characters. */
export type Conversation = rest["schemas"]["ConversationSummary"];

export type ConversationDetail = rest["schemas"]["ConversationDetail"];
export type MessagePage = rest["schemas"]["MessagePage"];

/** The caller's own account. */
export type User = rest["schemas"]["Profile"] & { is_operator?: boolean };

/** An announcement by the operators. A repeated `id` is the same broadcast. */
export type Broadcast = Omit<frames["schemas"]["BroadcastFrame"], "type">;

export type MessageType = rest["schemas"]["MessageToSend"]["message_type"];

/** What `send` takes: `text` for the type `text`, which is the default, `media_url` for the others. */
export type MessageBody = Omit<rest["schemas"]["MessageToSend"], "client_id" | "message_type"> & {
  message_type?: MessageType;
};

export type Credentials = { email: string; password: string; code?: string; mailed_code?: string };

const FIELDS = [
  "id", "kind", "name", "is_private", "creator", "peer", "role", "unread", "last_seq", "read_seq", "position",
  "last_message", "updated_at",
] as const satisfies readonly (keyof Conversation)[];

/** Returns the row of the list that `detail`, the answer to `GET /conversations/{id}/`, contains. */
export function rowOf(detail: Conversation): Conversation {
  return Object.fromEntries(FIELDS.map((field) => [field, detail[field]])) as Conversation;
}
