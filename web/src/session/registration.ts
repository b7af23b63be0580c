/** Who may register, as the server says. */

import type { RestTypes } from "@chat/client";
import { codeOf } from "./problems";
import { chat } from "./session";

export type Mode = "open" | "invite" | "closed";
export type Offer = { valid_until: string; note: string };
export type NewAccount = RestTypes["schemas"]["NewAccount"] & { invite?: string };

export async function registrationMode(): Promise<Mode> {
  try {
    return (await chat.request<{ mode: Mode }>("GET", "/registration/")).mode;
  } catch (problem) {
    if (codeOf(problem) === "not_found") return "open"; // a server that registers everyone
    throw problem;
  }
}

/** Returns null if the invite is unknown, expired, revoked or used up, which the server does not distinguish. */
export async function offerOf(token: string): Promise<Offer | null> {
  try {
    return await chat.request<Offer>("POST", "/invites/check/", { body: { token } });
  } catch (problem) {
    if (codeOf(problem) === "invalid_invite") return null;
    throw problem;
  }
}

/** Registers; returns false if a mail must activate the account first. */
export async function register(account: NewAccount): Promise<boolean> {
  // Only 201 has an account; 202 is the same for an address that has one already.
  return "id" in (await chat.request<object>("POST", "/users/", { body: account }));
}
