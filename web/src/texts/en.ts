/** English. These are all keys of the page; each area has a file of its own. */

import { account } from "./en/account";
import { chat } from "./en/chat";
import { common } from "./en/common";

export const en = { ...common, ...account, ...chat } as const;
