/** Keys that work everywhere in the chat. */

import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";
import { go } from "../router";
import type { Live } from "./live/live";

type Keys = { live: Live; chosen: string | null; search: RefObject<HTMLInputElement | null>; help: () => void };

export function useKeys({ live, chosen, search, help }: Keys): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
      const action = actionOf(event, live, chosen, search, help);
      if (!action) return;
      event.preventDefault();
      action();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [live, chosen]);
}

function actionOf(event: KeyboardEvent, live: Live, chosen: string | null, search: RefObject<HTMLInputElement | null>, help: () => void): (() => void) | null {
  const command = event.ctrlKey || event.metaKey;
  if (command && !event.altKey && event.key.toLowerCase() === "k") {
    return () => {
      if (search.current?.offsetParent === null) go();
      requestAnimationFrame(() => {
        search.current?.focus();
        search.current?.select();
      });
    };
  }
  if (event.altKey && !command && (event.key === "ArrowDown" || event.key === "ArrowUp")) return () => neighbour(live, chosen, event.key === "ArrowDown" ? 1 : -1);
  if (event.key === "?" && !isField(event.target)) return help;
  if (event.key === "Escape" && chosen) return () => leave(chosen);
  return null;
}

function neighbour(live: Live, chosen: string | null, by: number): void {
  const rows = live.list.value;
  const at = rows.findIndex((row) => row.id === chosen);
  const next = rows[at < 0 ? 0 : at + by];
  if (next) go("c", next.id);
}

/** From the conversation to its row in the list; on a narrow screen the list is another screen. */
function leave(chosen: string): void {
  const row = document.querySelector<HTMLElement>(`[data-conversation="${CSS.escape(chosen)}"]`);
  if (row?.offsetParent === null) go();
  requestAnimationFrame(() => row?.focus());
}

function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable]") !== null;
}
