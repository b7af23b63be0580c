/** The route is the part after `#`: the server sends one page for all, below any path of a proxy. */

import { signal } from "@preact/signals";

/** `#/c/<id>` is `["c", "<id>"]`. */
export const route = signal<readonly string[]>(parts());

addEventListener("hashchange", () => {
  route.value = parts();
});

function parts(): string[] {
  return location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decoded);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address of a route, for links: `href("c", id)`. */
export function href(...route: readonly string[]): string {
  return `#/${route.map(encodeURIComponent).join("/")}`;
}

export function go(...to: readonly string[]): void {
  location.hash = href(...to);
}

/** As `go`, but the page that is left is not in the history: after a login, or for a link that works once. */
export function replace(...to: readonly string[]): void {
  history.replaceState(null, "", href(...to));
  route.value = parts();
}
