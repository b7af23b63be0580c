import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { t } from "../texts/texts";
import { Button, IconButton } from "./button";
import { Form, type Values } from "./form";

type DialogProps = { title: string; onClose: () => void; wide?: boolean; children: ComponentChildren };

/**
 * A modal dialog, open for as long as it is rendered. The browser keeps the focus inside, Escape closes it, and the
 * focus returns to the element that had it before.
 */
export function Dialog({ title, onClose, wide, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();

  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      dialog.current?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);

  return (
    <dialog
      ref={dialog}
      class={wide ? "dialog wide" : "dialog"}
      aria-labelledby={id}
      onCancel={(event) => {
        if (event.target !== dialog.current) return;
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => event.target === dialog.current && onClose()}
    >
      <header>
        <h2 id={id}>{title}</h2>
        <IconButton icon="close" label={t("close")} onClick={onClose} />
      </header>
      <div class="body">{children}</div>
    </dialog>
  );
}

type ConfirmProps = {
  title: string;
  children?: ComponentChildren;
  /** The name of the button that does it. */
  confirm: string;
  danger?: boolean;
  /** Receives the fields among the children by name. */
  action: (values: Values) => Promise<void> | void;
  onClose: () => void;
};

/** Asks before an action that cannot be undone, and stays open if the action fails. */
export function Confirm({ title, children, confirm, danger = true, action, onClose }: ConfirmProps) {
  return (
    <Dialog title={title} onClose={onClose}>
      <Form
        submit={confirm}
        look={danger ? "danger" : "primary"}
        action={async (values) => {
          await action(values);
          onClose();
        }}
        beside={<Button onClick={onClose}>{t("cancel")}</Button>}
      >
        {children}
      </Form>
    </Dialog>
  );
}
