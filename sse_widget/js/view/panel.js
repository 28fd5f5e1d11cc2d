/** The whole of what a reader sees and touches: ask box, answer, status, buttons. */
import { AskBox } from "./ask.js";
import { element } from "./element.js";
import { Heartbeat } from "./heartbeat.js";
import { EndFollower } from "./scroll.js";
import { StatusLine } from "./status.js";
import { wordsIn } from "./words.js";

/** @typedef {import("./typewriter.js").AdaptiveTypewriter} AdaptiveTypewriter */
/** @typedef {import("../reading.js").Reading} Reading */
/** @typedef {import("../reading.js").Standing} Standing */
/**
 * @typedef {object} PanelOptions
 * @property {Reading} reading
 * @property {(question: string) => void} ask
 * @property {(element: HTMLElement) => AdaptiveTypewriter} typewriter
 * @property {{text: string, focused: boolean}} draft what is typed into the ask box, kept over views
 * @property {string} lang a language tag
 * @property {AbortSignal} signal ends it
 */

/** One view of a reading. Several can show the same one, each at its own pace. */
export class Panel {
  #reading;
  #typewriter;
  #status;
  #heartbeat;
  #scroll;
  #parts;

  /**
   * @param {HTMLElement} root the panel is appended to it
   * @param {PanelOptions} options
   */
  constructor(root, { reading, ask, typewriter, draft, lang, signal }) {
    const said = wordsIn(lang);
    const box = new AskBox(said.words, draft, ask, signal);
    this.#reading = reading;
    this.#parts = parts(said.words);
    root.append(this.#section(said, box));
    this.#scroll = new EndFollower(this.#parts.answer, signal);
    this.#status = new StatusLine(this.#parts.status, said.lang, signal);
    this.#heartbeat = new Heartbeat(this.#parts.dot, reading, said.words, signal);
    this.#typewriter = typewriter(this.#parts.text).onPaint(({ shown }) => {
      // A view that ends shows the rest to nobody.
      if (!signal.aborted) this.#painted(shown);
    });
    this.#listen(signal);
    this.#catchUp();
  }

  /** @param {Partial<import("../pacing/pace.js").PacerOptions>} changes of pace */
  update(changes) {
    this.#typewriter.update(changes);
  }

  /** @param {ReturnType<typeof wordsIn>} said @param {AskBox} box */
  #section({ words, lang, dir }, box) {
    const { question, answer, dot, status, resume, cut, stop, news } = this.#parts;
    const state = element("div", { className: "ssew-state" }, dot, status);
    const foot = element("div", { className: "ssew-foot" }, state, resume, cut, stop);
    const values = { className: "ssew", lang, dir, role: "group", "aria-label": words.panel };
    return element("section", values, box.element, question, answer, foot, news);
  }

  /** @param {AbortSignal} signal */
  #listen(signal) {
    const { resume, cut, stop } = this.#parts;
    resume.addEventListener("click", () => this.#reading.resume(), { signal });
    cut.addEventListener("click", () => this.#reading.cut(), { signal });
    stop.addEventListener("click", () => this.#stop(), { signal });
    this.#reading.listen(
      {
        text: (text, atOnce) => this.#append(text, atOnce),
        clear: () => this.#clear(),
        standing: (standing) => this.#stand(standing),
        beat: () => this.#heartbeat.beat(),
      },
      signal,
    );
  }

  /** Shows at once what another view has shown, and types the rest. */
  #catchUp() {
    const { text, shown, standing } = this.#reading;
    this.#append(text.slice(0, shown), true);
    this.#append(text.slice(shown), false);
    this.#stand(standing);
  }

  async #stop() {
    this.#parts.stop.disabled = true;
    await this.#reading.stop();
    this.#parts.stop.disabled = !this.#reading.following;
  }

  /** @param {string} text @param {boolean} atOnce */
  #append(text, atOnce) {
    if (!text) return;
    this.#typewriter.append(text);
    if (atOnce) this.#typewriter.flush();
  }

  #clear() {
    this.#typewriter.clear();
    this.#scroll.reset();
    this.#parts.news.textContent = "";
  }

  /** @param {number} shown */
  #painted(shown) {
    this.#reading.shown = Math.max(this.#reading.shown, shown);
    this.#scroll.follow();
  }

  /** @param {Standing} standing */
  #stand(standing) {
    const { question, answer, dot, resume, cut, stop, news } = this.#parts;
    const { state } = standing;
    const { live, over, following, resumable } = this.#reading;
    this.#status.show(standing);
    question.textContent = this.#reading.question;
    if (live) answer.setAttribute("aria-busy", "true");
    dot.setAttribute("data-state", state);
    answer.setAttribute("data-state", state);
    resume.hidden = !resumable;
    cut.disabled = !following;
    stop.disabled = !following;
    if (over) this.#finish();
    if (over || state === "waiting") {
      // Once, and whole: a live region that hears every delta would read them over each other.
      news.textContent = state === "done" ? this.#reading.text : this.#status.text(standing);
    }
  }

  async #finish() {
    this.#typewriter.finish();
    await this.#typewriter.finished;
    if (!this.#reading.live) this.#parts.answer.setAttribute("aria-busy", "false");
  }
}

/** @param {import("./words.js").Words} words */
function parts(words) {
  const text = element("div", { className: "ssew-text", "data-empty": words.empty });
  return {
    text,
    question: element("p", { className: "ssew-question", dir: "auto" }),
    answer: element(
      "div",
      {
        className: "ssew-answer",
        tabIndex: 0,
        role: "log",
        "aria-live": "off",
        "aria-busy": "false",
        "aria-label": words.answer,
      },
      text,
    ),
    dot: element("span", { className: "ssew-dot", role: "img" }),
    status: element("span", { className: "ssew-status", dir: "auto" }),
    resume: element(
      "button",
      { className: "ssew-button ssew-main", type: "button", hidden: true },
      words.resume,
    ),
    cut: element("button", { className: "ssew-button", type: "button" }, words.cut),
    stop: element("button", { className: "ssew-button ssew-main", type: "button" }, words.stop),
    news: element("div", { className: "ssew-unseen", role: "status", "aria-live": "polite" }),
  };
}
