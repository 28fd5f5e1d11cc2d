/** Mathematics: its source, until the part that sets it is there. */
import { element } from "../element.js";

/** @typedef {import("../../markdown/pieces.js").Piece} Piece */
/** @typedef {import("./view.js").Setting} Setting */

export class Formula {
  /** @type {[]} */
  children = [];
  #setting;
  #display;
  /** @type {string | null} */
  #source = null;

  /** @param {Piece} node @param {Setting} setting */
  constructor({ display }, setting) {
    this.#setting = setting;
    this.#display = display;
    this.element = element(display ? "div" : "span", { className: "ssew-math", dir: "ltr" });
  }

  /** @param {Piece} node */
  takes({ kind, display }) {
    return kind === "math" && display === this.#display;
  }

  /** @param {Piece} node */
  show({ text, pending }) {
    const source = pending ? null : text;
    if (source !== null && source === this.#source) return;
    this.#source = source;
    if (this.element.textContent !== text) this.element.textContent = text;
    if (source !== null) this.#set(source);
  }

  /** @param {string} source */
  async #set(source) {
    /** @type {typeof import("../../parts/math.js") | null | undefined} */
    const part = await this.#setting.parts?.get("math");
    if (!part || this.#source !== source) return;
    const formula = part.formula(source, this.#display);
    if (formula) this.element.replaceChildren(formula);
  }
}
