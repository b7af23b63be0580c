/** Where the chat is. Relative to the page, so that it may stand below a path of a proxy. */

/** A page in a folder says how far up the chat's root is: `<meta name="chat-root" content="../">`. */
const root = document.querySelector<HTMLMetaElement>('meta[name="chat-root"]')?.content ?? "./";

export const base = new URL(root, document.baseURI);
export const appName = document.querySelector<HTMLMetaElement>('meta[name="application-name"]')?.content ?? "Chat";
