import type { Live } from "../live/live";
import { NotificationsPanel } from "../panels/notifications-panel";
import { Discover } from "./discover";
import { KeysDialog } from "./keys-dialog";
import { NewDirect } from "./new-direct";
import { NewGroup } from "./new-group";

export type DialogName = "direct" | "group" | "discover" | "notifications" | "keys";

/** The dialog of the page that is open. `words` is what a search for people begins with. */
export function Dialogs({ shown, live, words, onClose }: { shown: DialogName | null; live: Live; words: string; onClose: () => void }) {
  switch (shown) {
    case "direct":
      return <NewDirect live={live} words={words} onClose={onClose} />;
    case "group":
      return <NewGroup live={live} onClose={onClose} />;
    case "discover":
      return <Discover live={live} onClose={onClose} />;
    case "notifications":
      return <NotificationsPanel live={live} onClose={onClose} />;
    case "keys":
      return <KeysDialog onClose={onClose} />;
    default:
      return null;
  }
}
