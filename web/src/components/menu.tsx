import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { IconButton } from "./button";
import { Icon, type IconName } from "./icon";

export type MenuItem =
  | { label: string; icon?: IconName; danger?: boolean; checked?: boolean; onSelect: () => void }
  | { label: string; icon?: IconName; danger?: boolean; checked?: boolean; href: string }
  | "line";

type MenuProps = {
  label: string;
  icon?: IconName;
  items: readonly MenuItem[];
  /** Where the list opens; below and to the left of the button's right edge by default. */
  place?: "" | "left" | "up" | "left up";
  /** Stands in the button instead of the icon. */
  children?: ComponentChildren;
};

/** A button with a list of actions. Arrow keys, Home and End move, a letter jumps, Escape closes. */
export function Menu({ label, icon = "more", items, place = "", children }: MenuProps) {
  const around = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  const [open, setOpen] = useState(false);

  const entries = () => [...(around.current?.querySelectorAll<HTMLElement>("[role^='menuitem']") ?? [])];
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };

  useEffect(() => {
    if (!open) return;
    entries()[0]?.focus();
    const outside = (event: Event) => {
      if (!around.current?.contains(event.target as Node)) setOpen(false);
    };
    addEventListener("pointerdown", outside);
    addEventListener("focusin", outside);
    return () => {
      removeEventListener("pointerdown", outside);
      removeEventListener("focusin", outside);
    };
  }, [open]);

  const pressed = (event: KeyboardEvent) => {
    if (!open) return;
    const all = entries();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to = target(event.key, all, at);
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
    } else if (event.key === "Tab") setOpen(false);
    else if (to !== undefined) to.focus();
    else return;
    if (event.key !== "Tab") event.preventDefault();
  };

  const opener = {
    ref: button,
    "aria-haspopup": "menu" as const,
    "aria-expanded": open,
    "aria-controls": open ? id : undefined,
    onClick: () => setOpen(!open),
    onKeyDown: (event: KeyboardEvent) => {
      if (event.key === "ArrowDown" && !open) {
        event.preventDefault();
        setOpen(true);
      }
    },
  };
  return (
    <div class="menu" ref={around} onKeyDown={pressed}>
      {children ? (
        <button type="button" class="button quiet" aria-label={label} {...opener}>
          {children}
        </button>
      ) : (
        <IconButton icon={icon} label={label} {...opener} />
      )}
      {open && (
        <div role="menu" id={id} class={place} aria-label={label}>
          {items.map((item, at) => (item === "line" ? <hr key={at} /> : <Entry key={at} item={item} close={close} />))}
        </div>
      )}
    </div>
  );
}

function Entry({ item, close }: { item: Exclude<MenuItem, "line">; close: () => void }) {
  const shared = {
    role: item.checked === undefined ? ("menuitem" as const) : ("menuitemradio" as const),
    "aria-checked": item.checked,
    tabIndex: -1,
    class: item.danger ? "danger" : "",
  };
  const inside = (
    <>
      {item.icon && <Icon name={item.icon} size={18} />}
      <span>{item.label}</span>
      {item.checked && <Icon name="check" size={16} />}
    </>
  );
  if ("href" in item)
    return (
      <a {...shared} href={item.href} onClick={close}>
        {inside}
      </a>
    );
  return (
    <button
      {...shared}
      type="button"
      onClick={() => {
        close();
        item.onSelect();
      }}
    >
      {inside}
    </button>
  );
}

function target(key: string, all: readonly HTMLElement[], at: number): HTMLElement | undefined {
  if (key === "ArrowDown") return all[(at + 1) % all.length];
  if (key === "ArrowUp") return all.at(at - 1);
  if (key === "Home") return all[0];
  if (key === "End") return all.at(-1);
  if (key.length !== 1 || key === " ") return undefined;
  const from = [...all.slice(at + 1), ...all.slice(0, at + 1)];
  return from.find((one) => one.textContent?.trim().toLowerCase().startsWith(key.toLowerCase()));
}
