/** Divides a text into links and the rest. Only https addresses without credentials become links. */

export type Part = { text: string; href?: string };

const ADDRESS = /https:\/\/[^\s<>"'`\\^{|}]+/gi;
const CLOSING = /[.,;:!?…*_~)\]]$/;

/** Characters that change the direction of the text after them: an address with one may read as another address. */
const BIDI = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

export function linked(text: string): Part[] {
  const parts: Part[] = [];
  let from = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = trimmed(match[0]);
    const href = addressOf(address);
    if (href === null) continue;
    if (match.index > from) parts.push({ text: text.slice(from, match.index) });
    parts.push({ text: address, href });
    from = match.index + address.length;
  }
  if (from < text.length) parts.push({ text: text.slice(from) });
  return parts;
}

/** The address to open, or null if it may not be opened: another scheme, or credentials that hide the real host. */
export function addressOf(text: string): string | null {
  if (BIDI.test(text) || !URL.canParse(text)) return null;
  const url = new URL(text);
  return url.protocol === "https:" && !url.username && !url.password && url.hostname ? url.href : null;
}

/** Without the punctuation of the sentence around it; a closing bracket stays if the address opens it. */
function trimmed(address: string): string {
  let kept = address;
  while (CLOSING.test(kept)) {
    if (kept.endsWith(")") && count(kept, "(") >= count(kept, ")")) break;
    if (kept.endsWith("]") && count(kept, "[") >= count(kept, "]")) break;
    kept = kept.slice(0, -1);
  }
  return kept;
}

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}
