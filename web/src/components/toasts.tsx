/** Short sentences that disappear by themselves: what was done, or why it was not. */

import { signal } from "@preact/signals";
import { explain } from "../session/problems";
import { Notice, type NoticeKind } from "./notice";

type Toast = { id: number; kind: NoticeKind; text: string };

const SHOWN_MS = 6_000;
const toasts = signal<readonly Toast[]>([]);
let latest = 0;

export function toast(text: string, kind: NoticeKind = "success"): void {
  latest += 1;
  const id = latest;
  toasts.value = [...toasts.value.slice(-2), { id, kind, text }];
  setTimeout(() => {
    toasts.value = toasts.value.filter((one) => one.id !== id);
  }, SHOWN_MS);
}

/** Runs an action; shows why it failed. Returns whether it succeeded. */
export async function attempt(action: () => Promise<unknown>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (problem) {
    const { text, fields } = explain(problem);
    toast(text || Object.values(fields).join(" "), "danger");
    return false;
  }
}

/** Stands once in a page, and always, so that screen readers know the region before it has text. */
export function Toasts() {
  return (
    <div class="toasts" role="status">
      {toasts.value.map((one) => (
        <Notice key={one.id} kind={one.kind}>
          {one.text}
        </Notice>
      ))}
    </div>
  );
}
