/** What a screen reader is told of an answer: its words, without the marks of Markdown and without buttons. */

const UNSAID = "button, annotation, [aria-hidden=true]";
const BREAKS = "p, label, li, tr, pre, figcaption, blockquote, h1, h2, h3, h4, h5, h6, br";

/**
 * @param {HTMLElement} shown the view's element
 * @param {string} text as it came
 * @returns {string}
 */
export function spoken(shown, text) {
  if (!shown.classList.contains("ssew-markdown")) return text;
  const copy = /** @type {HTMLElement} */ (shown.cloneNode(true));
  for (const node of copy.querySelectorAll(UNSAID)) node.remove();
  for (const node of copy.querySelectorAll(BREAKS)) node.before("\n");
  for (const node of copy.querySelectorAll("td, th")) node.append(" ");
  return (copy.textContent ?? "").replace(/\s*\n\s*/g, "\n").trim();
}
