/** German, loaded only where it is chosen. */

import { account } from "./de/account";
import { chat } from "./de/chat";
import { common } from "./de/common";
import type { Catalogue } from "./texts";

export const de: Catalogue = { ...common, ...account, ...chat };
