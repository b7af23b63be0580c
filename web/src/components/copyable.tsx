import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { t } from "../texts/texts";
import { Button } from "./button";

/** A text to copy by a button; where the browser forbids that, it can be selected. */
export function Copyable({ text, label, children }: { text: string; label: string; children?: ComponentChildren }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
    } catch {
      setCopied(false);
    }
  };
  return (
    <div class="copyable">
      {children ?? <code>{text}</code>}
      <Button icon={copied ? "check" : "copy"} onClick={() => void copy()} aria-label={`${t("copy")}: ${label}`}>
        {copied ? t("copied") : t("copy")}
      </Button>
    </div>
  );
}
