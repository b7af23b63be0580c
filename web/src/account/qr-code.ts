/** Loaded only where a QR code is shown. */

import { generate } from "lean-qr";
import { toSvgPath } from "lean-qr/extras/svg";

/** The code of `text`: its side in modules, without the quiet zone, and the path of its dark modules. */
export function drawQrCode(text: string): { size: number; path: string } {
  const code = generate(text);
  return { size: code.size, path: toSvgPath(code) };
}
