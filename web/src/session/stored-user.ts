/** Which user this browser is logged in as, shared by its tabs: a logout or another login in one reaches the others. */

const KEY = "chat.user";

/** What users wrote and did not send. After a logout the next person at this browser may not find it. */
const WRITTEN = ["chat.draft.", "chat.outbox."];

export function remember(id: string): void {
  if (localStorage.getItem(KEY) !== id) localStorage.setItem(KEY, id);
}

export function forget(): void {
  localStorage.removeItem(KEY);
}

export function forgetTexts(): void {
  for (const key of Object.keys(localStorage)) {
    if (WRITTEN.some((prefix) => key.startsWith(prefix))) localStorage.removeItem(key);
  }
}

/** Calls `listener` with the user's id, or null, when another tab changed it. */
export function onOtherTab(listener: (id: string | null) => void): void {
  addEventListener("storage", (event) => {
    // `key` is null if everything was cleared.
    if (event.key === KEY || event.key === null) listener(event.newValue);
  });
}
