import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./icon";

export type NoticeKind = "info" | "success" | "warning" | "danger";

const ICONS: Record<NoticeKind, IconName> = { info: "info", success: "check", warning: "alert", danger: "alert" };

/** A sentence within a page or form. Where it appears later, the element around it has `role="status"` or `"alert"`. */
export function Notice({ kind = "info", children }: { kind?: NoticeKind; children: ComponentChildren }) {
  return (
    <div class={`notice ${kind}`}>
      <Icon name={ICONS[kind]} size={18} />
      <div>{children}</div>
    </div>
  );
}
