import type { ButtonHTMLAttributes, ComponentChildren, Ref } from "preact";
import { Icon, type IconName } from "./icon";
import { Spinner } from "./spinner";

type Shared = Omit<ButtonHTMLAttributes<HTMLButtonElement>, "class" | "icon" | "size" | "ref"> & { ref?: Ref<HTMLButtonElement> };

export type ButtonProps = Shared & {
  look?: "primary" | "secondary" | "quiet" | "danger";
  wide?: boolean;
  busy?: boolean;
  icon?: IconName;
  children: ComponentChildren;
};

/** `busy` shows a spinner and ignores clicks; the button keeps the focus, which `disabled` would lose. */
export function Button({ look = "secondary", wide, busy, icon, children, type = "button", onClick, ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      type={type}
      class={`button ${look}${wide ? " wide" : ""}`}
      aria-disabled={busy || undefined}
      onClick={busy ? (event) => event.preventDefault() : onClick}
    >
      {busy ? <Spinner /> : icon && <Icon name={icon} size={18} />}
      {children}
    </button>
  );
}

export type IconButtonProps = Shared & { icon: IconName; label: string };

/** A button that shows an icon only; `label` is its name, also as a tooltip. */
export function IconButton({ icon, label, type = "button", ...rest }: IconButtonProps) {
  return (
    <button {...rest} type={type} class="button icon" aria-label={label} title={label}>
      <Icon name={icon} />
    </button>
  );
}
