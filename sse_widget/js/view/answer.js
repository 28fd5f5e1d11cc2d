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

/**
 * The typewriter of an answer, whose pace and view follow the knobs.
 *
 * @param {typeof import("./typewriter.js").AdaptiveTypewriter} Typewriter
 * @param {HTMLElement} element
 * @param {{knobs: import("../knobs/knobs.js").Knobs, lang: string, parts: Pick<import("../parts.js").Parts, "get"> | null, signal: AbortSignal}} options
 */
export function answerTypewriter(Typewriter, element, { knobs, lang, parts, signal }) {
  const view = () => answerView(element, { markdown: knobs.values.markdown, lang, parts });
  const typewriter = new Typewriter(element, { ...knobs.pace, signal, view: view() });
  knobs.listen((changes) => {
    if (changes.markdown !== undefined) typewriter.change(view);
  }, signal);
  return typewriter;
}
