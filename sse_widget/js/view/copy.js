/** The button that copies the answer. */
import { onPress } from "./button.js";
import { copied } from "./clipboard.js";
import { element, icon } from "./element.js";

const SHEETS =
  "M5.5 5.5V3.2a.7.7 0 0 1 .7-.7h6.6a.7.7 0 0 1 .7.7v6.6a.7.7 0 0 1-.7.7h-2.3M3.2 5.5h6.6a.7.7 0 0 1 .7.7v6.6a.7.7 0 0 1-.7.7H3.2a.7.7 0 0 1-.7-.7V6.2a.7.7 0 0 1 .7-.7Z";
const TICK = "M3 8.5 6.5 12 13 4.5";
const CROSS = "M4 4l8 8M12 4l-8 8";
const THANKS_MS = 1600;

/** Says for a moment that it has copied. */
export class CopyButton {
  #text;
  #words;
  #label;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {import("./words.js").Words} words @param {() => string} text @param {AbortSignal} signal */
  constructor(words, text, signal) {
    this.#text = text;
    this.#words = words;
    this.#label = element("span", { className: "ssew-button-text" }, words.copy);
    this.element = element(
      "button",
      { className: "ssew-button ssew-copy", type: "button", title: words.copy },
      icon(SHEETS),
      this.#label,
    );
    onPress(this.element, () => this.#copy(), signal);
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  async #copy() {
    // From now on: before, a change of the label would be no news.
    this.#label.setAttribute("aria-live", "polite");
    const done = await copied(this.#text());
    this.#show(done ? TICK : CROSS, done ? this.#words.copied : this.#words.notCopied);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#show(SHEETS, this.#words.copy), THANKS_MS);
  }

  /** @param {string} drawing @param {string} label */
  #show(drawing, label) {
    this.element.firstElementChild?.replaceWith(icon(drawing));
    this.element.title = label;
    this.#label.textContent = label;
  }
}
