/** How an answer is shown: as Markdown, or as the text that came. */
import { MarkdownView } from "./markdown/view.js";
import { TextView } from "./text.js";

/**
 * @param {HTMLElement} element becomes the view's own
 * @param {{markdown: boolean, lang: string, parts: Pick<import("../parts.js").Parts, "get"> | null}} options
 * @returns {import("./typewriter.js").View}
 */
export function answerView(element, { markdown, lang, parts }) {
  element.classList.toggle("ssew-markdown", markdown);
  return markdown ? new MarkdownView(element, { lang, parts }) : new TextView(element);
}
