import type { ComponentChildren } from "preact";
import { t } from "../texts/texts";
import { IconButton } from "./button";
import { Icon, type IconName } from "./icon";

type BannerProps = {
  kind?: "info" | "warning" | "danger";
  icon?: IconName;
  children: ComponentChildren;
  /** With it, the banner has a button that closes it. */
  onClose?: () => void;
};

/** A line across the page, such as "offline" or a broadcast. Screen readers announce it without taking the focus. */
export function Banner({ kind = "info", icon = "info", children, onClose }: BannerProps) {
  return (
    <div class={`banner ${kind}`} role="status">
      <Icon name={icon} size={18} />
      <div class="words">{children}</div>
      {onClose && <IconButton icon="close" label={t("close")} onClick={onClose} />}
    </div>
  );
}
