/** What the timeline's lines and marks mean, in words. Its swatches have the colours, which the chart takes from them. */
import { element } from "./element.js";

/** @typedef {import("./words.js").Words["marks"]} Marks */
/** @typedef {keyof Marks} Mark */

export const MARKS = /** @type {readonly Mark[]} */ (
  /** @type {const} */ (["delivered", "displayed", "ping", "cut", "outage", "stall"])
);

/** A list of swatches. `onColours` hears when a theme has changed them. */
export class Legend {
  /** @type {Map<Mark, {swatch: HTMLElement, count: HTMLElement}>} */
  #items = new Map();
  element = element("ul", { className: "ssew-legend" });

  /** @param {Marks} words @param {() => void} onColours @param {AbortSignal} signal */
  constructor(words, onColours, signal) {
    for (const mark of MARKS) {
      const swatch = element("span", { className: `ssew-swatch ssew-${mark}`, "aria-hidden": "true" });
      const count = element("span", { className: "ssew-count" });
      this.#items.set(mark, { swatch, count });
      this.element.append(element("li", {}, swatch, words[mark], count));
    }
    // A transition is the one sign of a new theme that is the same on every host.
    this.element.addEventListener("transitionend", onColours, { signal });
  }

  /** @param {Partial<Record<Mark, number>>} counts */
  show(counts) {
    for (const [mark, { count }] of this.#items) {
      const text = counts[mark] ? String(counts[mark]) : "";
      if (count.textContent !== text) count.textContent = text;
    }
  }

  /** The colours of all marks and of the axes' text, as the browser computes them. */
  get colours() {
    const own = getComputedStyle(this.element).color;
    const marks = [...this.#items].map(([mark, { swatch }]) => [mark, getComputedStyle(swatch).color]);
    return /** @type {Record<Mark | "ink", string>} */ ({ ...Object.fromEntries(marks), ink: own });
  }
}
