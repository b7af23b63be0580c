/** The events of the client, in order. Each change of a conversation arrives once, and after it has been applied. */

import type { Broadcast, Conversation, Member, Message, Notification, User } from "./rows.ts";

/**
 * - `logged_out`: no login.
 * - `connecting`: a socket is being opened.
 * - `catching_up`: the socket is open, and what was missed is on its way.
 * - `live`: everything up to now has arrived.
 * - `offline`: no socket; the next attempt follows by itself, except after `refused` and `close()`.
 */
export type State = "logged_out" | "connecting" | "catching_up" | "live" | "offline";

export type MemberChange = "joined" | "added" | "left" | "removed" | "promoted" | "demoted" | "updated";

export type ChatEvent =
  | { type: "state"; state: State }
  /** The caller's own account has changed, or was read again. */
  | { type: "user"; user: User }
  | { type: "conversation_added"; conversation: Conversation }
  /** A field of the row has changed: the name, the newest message, the read mark, … */
  | { type: "conversation_changed"; conversation: Conversation }
  /** `reason`: left, removed, deleted, not_a_member, hidden. */
  | { type: "conversation_removed"; conversation: string; reason: string }
  /** `what` may be "updated" or "deleted" even if the message is new to the client. */
  | { type: "message"; what: "created" | "updated" | "deleted"; message: Message }
  /** `updated` means renamed. */
  | { type: "member"; what: MemberChange; conversation: string; member: Member }
  /** `user` has read up to `seq`. It may be lost. */
  | { type: "read"; conversation: string; user: string; seq: number }
  /** It may be lost, and expires after `expires_in` seconds. */
  | { type: "typing"; conversation: string; user: string; expires_in: number }
  /** It may be lost: request `presence()` again after a reconnect. */
  | { type: "presence"; conversation: string; user: string; online: boolean }
  /** New, or of a known `id` and covering more messages. */
  | { type: "notification"; notification: Notification }
  | { type: "broadcast"; broadcast: Broadcast }
  /** `pending(conversation)` has changed. */
  | { type: "pending"; conversation: string }
  /** Too many changes were missed: the conversation was loaded again, and they bring no events. */
  | { type: "reset"; conversation: string }
  /** Changes after `position` were missed. They are requested, and arrive as events. */
  | { type: "gap"; conversation: string; position: number }
  /** The login cannot be continued: log in again. */
  | { type: "login_ended" }
  /** The server refuses this client for good (close code 4403): a foreign origin, or a suspended account. */
  | { type: "refused"; reason: string }
  /** The server refused a socket because too many are open (4429): the account is in use in too many places. It waits. */
  | { type: "crowded" }
  /** A frame of an unknown type, from a newer server. */
  | { type: "unknown"; frame: { type: string } };
