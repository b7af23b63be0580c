/** A client of the chat that misses nothing: the rules of docs/realtime.md, for browsers and Node. */

export { Chat, type ChatOptions, type RequestOptions } from "./chat.ts";
export { type SocketConstructor, type SocketLike } from "./connection.ts";
export { ChatError, LoginEnded, OutboxFull, Refused, Throttled, Unreachable, type FieldError } from "./errors.ts";
export { type ChatEvent, type MemberChange, type State } from "./events.ts";
export { type ClientFrame, type ServerFrame } from "./frames.ts";
export { type Pending } from "./outbox.ts";
export { OutboxInMemory, type OutboxStore, type Refusal, type Stored } from "./outbox_store.ts";
export { type Fetch, type Query } from "./rest.ts";
export {
  type Broadcast,
  type Conversation,
  type ConversationDetail,
  type Credentials,
  type Member,
  type Message,
  type MessageBody,
  type MessagePage,
  type MessageType,
  type Notification,
  type Person,
  type User,
} from "./rows.ts";
export { TokensInMemory, type Pair, type TokenStore } from "./tokens.ts";
export { type components as RestTypes } from "./generated/rest.ts";
