/** The whole of what a reader sees and touches: ask box, answer, status, knobs, timeline. */
import { Faults } from "../knobs/faults.js";
import { NUMBERS } from "../knobs/specs.js";
import { AskBox } from "./ask.js";
import { element } from "./element.js";
import { Fold } from "./fold.js";
import { Foot } from "./foot.js";
import { keepKeys } from "./keys.js";
import { KnobsView } from "./knobs.js";
import { EndFollower } from "./scroll.js";
import { spoken } from "./spoken.js";
import { timelineFold } from "./timeline_fold.js";
import { wordsIn } from "./words.js";

/** @typedef {import("./typewriter.js").AdaptiveTypewriter} AdaptiveTypewriter */
/** @typedef {import("../reading.js").Reading} Reading */
/** @typedef {import("../transcript.js").Standing} Standing */
/** @typedef {{text: string, focused: boolean, knobs?: boolean}} Draft what is typed into the ask box, and whether the knobs are unfolded */
/**
 * @typedef {object} PanelOptions
 * @property {Reading} reading
 * @property {import("../measure/recording.js").Recording} recording of that reading
 * @property {import("../knobs/knobs.js").Knobs} knobs
 * @property {import("./knobs.js").Tuning} tuning
 * @property {Faults} [faults] none are offered without it
 * @property {import("../parts.js").Parts} parts
 * @property {(question: string) => void} ask
 * @property {boolean} [askBox] whether there is a box to ask in
 * @property {(element: HTMLElement, keepPlace: import("./answer.js").KeepPlace) => AdaptiveTypewriter} typewriter
 * @property {Draft} draft kept over views
 * @property {string} lang a language tag
 * @property {AbortSignal} signal ends it
 */

/** A live region is read when it changes; long after that, nobody waits for it. */
const NEWS_MS = 10_000;
/** Fits into four lines of the narrowest panel. */
const SHORT_QUESTION = 100;
const SLIDERS =
  "M2.5 4.5h6M12 4.5h1.5M2.5 11.5H4M7.5 11.5h6M8.5 4.5a1.75 1.75 0 1 0 3.5 0 1.75 1.75 0 1 0-3.5 0M4 11.5a1.75 1.75 0 1 0 3.5 0 1.75 1.75 0 1 0-3.5 0";

/** What a view has said already: several views of a reading have the same standings, and say each once. @type {WeakSet<Standing>} */
const told = new WeakSet();

/** One view of a reading. Several can show the same one, each at its own pace. */
export class Panel {
  #signal;
  #reading;
  #typewriter;
  #box;
  #foot;
  #scroll;
  #parts;
  /** Whether this view saw the answer being written: nobody asked to hear an old one. */
  #witness = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #silence;

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
    const folds = [knobsFold(options, said), timelineFold(options, said)];
    this.#foot = new Foot(reading, said, {
      folds: folds.map(({ button }) => button),
      copyText: () => reading.text,
      signal,
    });
    const section = this.#section(said, folds);
    root.append(section);
    this.#signal = signal;
    keepKeys(section, signal);
    this.#scroll = new EndFollower(this.#parts.answer, signal);
    const keepPlace = (/** @type {() => void} */ change) => this.#scroll.keep(change);
    this.#typewriter = typewriter(this.#parts.text, keepPlace).onPaint(({ shown, nowMs, framed }) => {
      // A view that ends shows the rest to nobody.
      if (!signal.aborted) this.#painted(shown, { atMs: nowMs, framed });
    });
    knobs.listen(() => this.#typewriter.update(knobs.pace), signal);
    this.#listen(signal);
    signal.addEventListener("abort", () => clearTimeout(this.#silence));
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

  /** @param {number} shown @param {import("../transcript.js").Showing} showing */
  #painted(shown, showing) {
    this.#reading.show(shown, showing);
    this.#scroll.follow();
  }

  /** @param {Standing} standing */
  #stand(standing) {
    const { answer } = this.#parts;
    const { state } = standing;
    const { live, over } = this.#reading;
    this.#foot.show(standing);
    this.#asked(this.#reading.question);
    answer.setAttribute("data-state", state);
    if (live) {
      answer.setAttribute("aria-busy", "true");
      this.#witness = true;
    }
    if (over) this.#finish();
    if (state === "waiting" || (over && state !== "done")) this.#say(this.#foot.text(standing), standing);
  }

  /** @param {string} text */
  #asked(text) {
    const { question } = this.#parts;
    if (question.textContent === text) return;
    question.textContent = text;
    // It may need to be scrolled, also by keyboard; whether it does is not known before it is in the page.
    if (text.length > SHORT_QUESTION || text.includes("\n")) question.tabIndex = 0;
    else question.removeAttribute("tabindex");
  }

  async #finish() {
    const { answer, text } = this.#parts;
    this.#typewriter.finish();
    await this.#typewriter.finished;
    if (this.#reading.live || this.#signal.aborted) return;
    answer.setAttribute("aria-busy", "false");
    // Once, and whole: a live region that hears every delta would read them over each other.
    const { standing } = this.#reading;
    if (standing.state === "done") this.#say(spoken(text, this.#reading.text), standing);
  }

  /**
   * @param {string} said to screen readers; it is taken away again, lest they find it twice when they read on
   * @param {Standing} standing of which it speaks; a view that is closed or hidden leaves it to another
   */
  #say(said, standing) {
    const { news } = this.#parts;
    if (!this.#witness || !news.checkVisibility() || told.has(standing)) return;
    told.add(standing);
    news.textContent = said;
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => news.replaceChildren(), NEWS_MS);
  }
}

/** @param {PanelOptions} options @param {ReturnType<typeof wordsIn>} said */
function knobsFold({ draft, knobs, tuning, reading, parts, faults = new Faults(), signal }, { words, lang }) {
  const shared = { knobs, tuning, reading, parts, faults, signal };
  const view = new KnobsView({ ...shared, numbers: NUMBERS, words, lang });
  const fold = new Fold({
    label: words.knobs,
    drawing: SLIDERS,
    region: view.element,
    open: draft.knobs ?? false,
    hear: (open) => {
      draft.knobs = open;
      fold.open(open);
      view.open(open);
    },
    signal,
  });
  view.open(draft.knobs ?? false);
  const mark = () => {
    fold.button.toggleAttribute("data-marked", faults.text !== "");
    if (faults.text) fold.button.setAttribute("aria-description", words.spoilt);
    else fold.button.removeAttribute("aria-description");
  };
  faults.listen(mark, signal);
  mark();
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
