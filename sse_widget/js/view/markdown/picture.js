/** Images. None is asked for before the reader wants it: its address could carry what the answer knows. */
import { hostOf } from "../../markdown/links.js";
import { element } from "../element.js";

/** @typedef {import("../../markdown/pieces.js").Piece} Piece */
/** @typedef {import("./view.js").Setting} Setting */

export class Picture {
  /** @type {[]} */
  children = [];
  #setting;
  #href = "";

  /** @param {Piece} _node @param {Setting} setting */
  constructor(_node, setting) {
    this.#setting = setting;
    this.element = element("span", { className: "ssew-picture" });
  }

  /** @param {Piece} node */
  takes({ kind, href }) {
    return kind === "image" && href === this.#href;
  }

  /** @param {Piece} node */
  show({ href, info }) {
    if (this.#href) return;
    this.#href = href;
    const host = hostOf(href);
    if (!host) return this.element.replaceChildren(info);
    const label = this.#setting.words.loadImage(host, info.trim());
    const button = element(
      "button",
      { type: "button", className: "ssew-load", "aria-label": label, title: href },
      label,
    );
    button.addEventListener("click", () => this.#load(href, info), { once: true });
    this.element.replaceChildren(button);
  }

  /** @param {string} href @param {string} alt */
  #load(href, alt) {
    const image = element("img", { alt, referrerPolicy: "no-referrer", decoding: "async" });
    image.src = href;
    this.element.replaceChildren(image);
  }
}
