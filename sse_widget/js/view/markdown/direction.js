/** Which way text runs: as its first letter does (Unicode UAX 9, P2), and code is not counted. */

const LETTER = /\p{L}/u;
// Hebrew to Arabic Extended, their presentation forms, and the right-to-left blocks of plane 1.
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
/** What runs from the left whatever it says. */
const NOT_COUNTED = "code, figure, math, .ssew-math";

/** @param {Node} element @returns {"ltr" | "rtl" | null} null while it has no letter */
export function directionIn(element) {
  if (!(element instanceof Element) || element.matches(NOT_COUNTED)) return null;
  const walker = element.ownerDocument.createTreeWalker(
    element,
    NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT,
    (node) =>
      node instanceof Element && node.matches(NOT_COUNTED)
        ? NodeFilter.FILTER_REJECT
        : NodeFilter.FILTER_ACCEPT,
  );
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const letter = node instanceof Text ? LETTER.exec(node.data)?.[0] : undefined;
    if (letter) return RIGHT_TO_LEFT.test(letter) ? "rtl" : "ltr";
  }
  return null;
}
