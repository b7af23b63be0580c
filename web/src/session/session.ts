/** The one login and connection of this page. Components read the signals; only the client's events change them. */

import { Chat, type Credentials, type State, type User } from "@chat/client";
import { computed, signal } from "@preact/signals";
import { base } from "./addresses";
import { StoredOutbox } from "./outbox-store";
import { forget, forgetTexts, onOtherTab, remember } from "./stored-user";
import { StoredTokens } from "./token-store";

export const chat = new Chat({ url: base.href, tokens: new StoredTokens(), outbox: new StoredOutbox() });

/** The own account, null without a login. */
export const user = signal<User | null>(null);
export const userId = computed(() => user.value?.id ?? null);
export const state = signal<State>("logged_out");
/** False until it is known whether the browser keeps a login. */
export const started = signal(false);
/** Whether the last login ended without a logout here: on another device, by a changed password, by an operator. */
export const ended = signal(false);

chat.subscribe((event) => {
  if (event.type === "state") state.value = event.state;
  else if (event.type === "user") user.value = event.user;
  else if (event.type === "login_ended") {
    ended.value = true;
    leave();
  }
});

// The page of another user, or of none, may not stay on the screen: a reload drops everything in memory.
onOtherTab((id) => {
  if (started.value && id !== userId.value) location.reload();
});

/** Continues the login that the browser keeps, if there is one. */
export async function start(): Promise<void> {
  try {
    if (await chat.resumeLogin()) enter();
  } finally {
    started.value = true;
  }
}

/** Raises the client's errors: Refused, Throttled, Unreachable. */
export async function logIn(credentials: Credentials): Promise<void> {
  await chat.logIn(credentials);
  enter();
}

/** Uses a pair of tokens that another route returned. */
export async function adopt(pair: { access: string; refresh: string }): Promise<void> {
  await chat.adopt(pair);
  enter();
}

export async function logOut(): Promise<void> {
  forgetTexts();
  try {
    await chat.logOut();
  } finally {
    leave();
  }
}

function enter(): void {
  ended.value = false;
  user.value = chat.user;
  if (chat.user) remember(chat.user.id);
}

function leave(): void {
  user.value = null;
  forget();
}
