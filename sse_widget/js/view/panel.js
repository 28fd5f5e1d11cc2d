/** The whole of what a reader sees and touches: ask box, answer, status, knobs, timeline. */
import { NUMBERS } from "../knobs/specs.js";
import { AskBox } from "./ask.js";
import { element } from "./element.js";
import { Fold } from "./fold.js";
import { Foot } from "./foot.js";
import { keepKeys } from "./keys.js";
import { KnobsView } from "./knobs.js";
import { EndFollower } from "./scroll.js";
import { timelineFold } from "./timeline_fold.js";
import { wordsIn } from "./words.js";

/** @typedef {import("./typewriter.js").AdaptiveTypewriter} AdaptiveTypewriter */
/** @typedef {import("../reading.js").Reading} Reading */
/** @typedef {import("../reading.js").Standing} Standing */
/** @typedef {{text: string, focused: boolean, knobs?: boolean}} Draft what is typed into the ask box, and whether the knobs are unfolded */
/**
 * @typedef {object} PanelOptions
 * @property {Reading} reading
 * @property {import("../measure/recording.js").Recording} recording of that reading
 * @property {import("../knobs/knobs.js").Knobs} knobs
 * @property {import("./knobs.js").Tuning} tuning
 * @property {import("../parts.js").Parts} parts
 * @property {(question: string) => void} ask
 * @property {boolean} [askBox] whether there is a box to ask in
 * @property {(element: HTMLElement) => AdaptiveTypewriter} typewriter
 * @property {Draft} draft kept over views
 * @property {string} lang a language tag
 * @property {AbortSignal} signal ends it
 */

const SLIDERS =
  "M2.5 4.5h6M12 4.5h1.5M2.5 11.5H4M7.5 11.5h6M8.5 4.5a1.75 1.75 0 1 0 3.5 0 1.75 1.75 0 1 0-3.5 0M4 11.5a1.75 1.75 0 1 0 3.5 0 1.75 1.75 0 1 0-3.5 0";

/** One view of a reading. Several can show the same one, each at its own pace. */
export class Panel {
  #reading;
  #typewriter;
  #box;
  #foot;
  #scroll;
  #parts;

  /**
   * @param {HTMLElement} root the panel is appended to it
   * @param {PanelOptions} options
   */
  constructor(root, options) {
    const { reading, ask, askBox = true, typewriter, draft, knobs, lang, signal } = options;
    const said = wordsIn(lang);
    this.#reading = reading;
    this.#parts = parts(said.words);
    this.#box = new AskBox(said.words, draft, ask, signal).element;
    this.#box.hidden = !askBox;
    const folds = [knobsFold(options, said.words), timelineFold(options, said)];
    this.#foot = new Foot(reading, said, {
      folds: folds.map(({ button }) => button),
      copyText: () => reading.text,
      signal,
    });
    const section = this.#section(said, folds);
    root.append(section);
    keepKeys(section, signal);
    this.#scroll = new EndFollower(this.#parts.answer, signal);
    this.#typewriter = typewriter(this.#parts.text).onPaint(({ shown }) => {
      // A view that ends shows the rest to nobody.
      if (!signal.aborted) this.#painted(shown);
    });
    knobs.listen(() => this.#typewriter.update(knobs.pace), signal);
    this.#listen(signal);
    this.#catchUp();
  }

  /** @param {boolean} shown */
  showAskBox(shown) {
    this.#box.hidden = !shown;
  }

  /** @param {ReturnType<typeof wordsIn>} said @param {Fold[]} folds */
  #section({ words, lang, dir }, folds) {
    const { question, answer, news } = this.#parts;
    const values = { className: "ssew", lang, dir, role: "group", "aria-label": words.panel };
    const regions = folds.map(({ region }) => region);
    return element("section", values, this.#box, question, answer, this.#foot.element, ...regions, news);
  }

  /** @param {AbortSignal} signal */
  #listen(signal) {
    this.#reading.listen(
      {
        text: (text, atOnce) => this.#append(text, atOnce),
        clear: () => this.#clear(),
        standing: (standing) => this.#stand(standing),
        beat: () => this.#foot.beat(),
        transport: () => this.#foot.way(),
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

  /** @param {string} text @param {boolean} atOnce */
  #append(text, atOnce) {
    if (!text) return;
    this.#typewriter.append(text);
    this.#foot.filled();
    if (atOnce) this.#typewriter.flush();
  }

  #clear() {
    this.#typewriter.clear();
    this.#scroll.reset();
    this.#parts.news.textContent = "";
  }

  /** @param {number} shown */
  #painted(shown) {
    this.#reading.painted(shown);
    this.#scroll.follow();
  }

  /** @param {Standing} standing */
  #stand(standing) {
    const { question, answer, news } = this.#parts;
    const { state } = standing;
    const { live, over } = this.#reading;
    this.#foot.show(standing);
    question.textContent = this.#reading.question;
    if (live) answer.setAttribute("aria-busy", "true");
    answer.setAttribute("data-state", state);
    if (over) this.#finish();
    if (over || state === "waiting") {
      // Once, and whole: a live region that hears every delta would read them over each other.
      news.textContent = state === "done" ? this.#reading.text : this.#foot.text(standing);
    }
  }

  async #finish() {
    this.#typewriter.finish();
    await this.#typewriter.finished;
    if (!this.#reading.live) this.#parts.answer.setAttribute("aria-busy", "false");
  }
}

/** @param {PanelOptions} options @param {import("./words.js").Words} words */
function knobsFold({ draft, knobs, tuning, reading, signal }, words) {
  const view = new KnobsView({ knobs, numbers: NUMBERS, tuning, reading, words, signal });
  const fold = new Fold({
    label: words.knobs,
    drawing: SLIDERS,
    region: view.element,
    open: draft.knobs ?? false,
    hear: (open) => {
      draft.knobs = open;
      fold.open(open);
    },
    signal,
  });
  return fold;
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
    news: element("div", { className: "ssew-unseen", role: "status", "aria-live": "polite" }),
  };
}
