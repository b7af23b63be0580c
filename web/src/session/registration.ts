/** Who may register, as the server says. */

import type { RestTypes } from "@chat/client";
import { codeOf } from "./problems";
import { chat } from "./session";

type Rest = RestTypes["schemas"];
export type Mode = Rest["RegistrationRules"]["mode"];
export type Offer = Rest["InviteOffer"];
export type NewAccount = Rest["NewAccount"];

export async function registrationMode(): Promise<Mode> {
  return (await chat.request<Rest["RegistrationRules"]>("GET", "/registration/")).mode;
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
