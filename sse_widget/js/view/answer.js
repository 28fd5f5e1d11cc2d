/** How an answer is shown: as Markdown, or as the text that came. */
import { TextView } from "./text.js";

/** @typedef {import("./typewriter.js").AdaptiveTypewriter} AdaptiveTypewriter */
/** @typedef {(change: () => void) => void} KeepPlace makes a change that keeps the reader about where they are */
/**
 * @typedef {object} AnswerOptions
 * @property {import("../knobs/knobs.js").Knobs} knobs
 * @property {import("../reading.js").Reading} reading
 * @property {string} lang
 * @property {Pick<import("../parts.js").Parts, "get" | "onHope">} parts
 * @property {AbortSignal} signal
 */

/**
 * The typewriter of an answer, whose pace and view follow the knobs. Text is plain until the part for Markdown is there,
 * and stays so where that cannot be had; each run and each way that is found ask for it once more.
 *
 * @param {typeof import("./typewriter.js").AdaptiveTypewriter} Typewriter
 * @param {HTMLElement} element becomes the view's own
 * @param {AnswerOptions} options
 * @param {KeepPlace} keepPlace
 * @returns {AdaptiveTypewriter}
 */
export function answerTypewriter(Typewriter, element, { knobs, reading, lang, parts, signal }, keepPlace) {
  const typewriter = new Typewriter(element, { ...knobs.pace, signal });
  let shown = false;
  const show = async () => {
    const wanted = knobs.values.markdown;
    if (wanted === shown) return;
    const part = wanted && (await parts.get("markdown"));
    if ((wanted && !part) || signal.aborted || wanted === shown || wanted !== knobs.values.markdown) return;
    shown = wanted;
    const view = () => (part ? new part.MarkdownView(element, { lang, parts }) : plain(element));
    keepPlace(() => typewriter.change(view));
  };
  knobs.listen(({ markdown }) => markdown !== undefined && show(), signal);
  reading.listen({ begin: show }, signal);
  parts.onHope(show, signal);
  show();
  return typewriter;
}

/** @param {HTMLElement} element */
function plain(element) {
  element.classList.remove("ssew-markdown");
  return new TextView(element);
}
