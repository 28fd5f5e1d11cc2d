/** A part of the panel that opens and closes by a button. */
import { element, icon } from "./element.js";

let made = 0;

/** The button and the region that it opens; the region is built by whoever gives it. */
export class Fold {
  #hear;

  /**
   * @param {{label: string, drawing: string, region: HTMLElement, open: boolean, hear: (open: boolean) => void, signal: AbortSignal}} options
   *   `hear` is told what the reader wants
   */
  constructor({ label, drawing, region, open, hear, signal }) {
    this.#hear = hear;
    this.region = region;
    region.id ||= `ssew-fold-${made++}`;
    const text = element("span", { className: "ssew-button-text" }, label);
    this.button = element(
      "button",
      { className: "ssew-button ssew-toggle", type: "button", title: label, "aria-controls": region.id },
      icon(drawing),
      text,
    );
    this.button.addEventListener("click", () => this.#hear(Boolean(region.hidden)), { signal });
    this.open(open);
  }

  /** @param {boolean} open */
  open(open) {
    this.region.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
  }
}
