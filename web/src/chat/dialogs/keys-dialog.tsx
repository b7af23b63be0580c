/** The keys of the page. */

import { Dialog } from "../../components/dialog";
import { t, type Key } from "../../texts/texts";

const KEYS: readonly (readonly [readonly string[], Key & `chat.key.${string}`])[] = [
  [["Ctrl", "K"], "chat.key.search"],
  [["↑", "↓"], "chat.key.list"],
  [["Enter"], "chat.key.open"],
  [["Alt", "↑ / ↓"], "chat.key.next"],
  [["Enter"], "chat.key.send"],
  [["Shift", "Enter"], "chat.key.line"],
  [["↑"], "chat.key.edit_last"],
  [["Page Up"], "chat.key.messages"],
  [["R"], "chat.key.reply"],
  [["E"], "chat.key.edit"],
  [["Del"], "chat.key.delete"],
  [["Enter"], "chat.key.actions"],
  [["Esc"], "chat.key.escape"],
  [["?"], "chat.key.help"],
];

export function KeysDialog({ onClose }: { onClose: () => void }) {
  const apple = /Mac|iPhone|iPad/.test(navigator.userAgent);
  return (
    <Dialog title={t("chat.keys")} onClose={onClose}>
      <table class="keys">
        <tbody>
          {KEYS.map(([keys, text]) => (
            <tr key={text}>
              <th scope="row">
                {keys.map((key) => (
                  <kbd key={key}>{apple && key === "Ctrl" ? "⌘" : key}</kbd>
                ))}
              </th>
              <td>{t(text as "chat.key.search")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}
