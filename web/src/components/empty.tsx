import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./icon";

/** What a page shows where it has nothing to show, with what may be done about it. */
export function Empty({ icon, title, children }: { icon: IconName; title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <Icon name={icon} size={40} />
      <h2>{title}</h2>
      {children}
    </div>
  );
}
