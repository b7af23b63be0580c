/** Who may register, as the server says. */

import type { components } from "@chat/client/rest";
import { codeOf } from "./problems";
import { chat } from "./session";

type Rest = components["schemas"];
export type Mode = Rest["RegistrationRules"]["mode"];
export type Offer = Rest["InviteOffer"];
export type NewAccount = Rest["NewAccount"];

export async function registrationMode(): Promise<Mode> {
  const rules = await chat.request<Rest["RegistrationRules"]>("GET", "/registration/");
  return rules.mode;
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
