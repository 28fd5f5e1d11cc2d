/** Tables, which scroll sideways by themselves where they are too wide. */
import { element } from "../element.js";
import { Branch } from "./branch.js";

/** @typedef {import("../../markdown/pieces.js").Piece} Piece */
/** @typedef {import("./branch.js").Shown} Shown */
/** @typedef {import("./view.js").Setting} Setting */

export class Table extends Branch {
  #head = element("thead");
  #body = element("tbody");
  #table = element("table", {}, this.#head, this.#body);

  /** @param {Piece} node @param {Setting} setting */
  constructor(node, setting) {
    const values = {
      className: "ssew-scroll",
      tabIndex: 0,
      role: "region",
      "aria-label": setting.words.table,
    };
    super(node, setting, element("div", values));
    this.element.append(this.#table);
  }

  /** @override @param {Shown} shown */
  place(shown) {
    const head =
      shown.element.firstChild instanceof HTMLElement && shown.element.firstChild.localName === "th";
    (head ? this.#head : this.#body).append(shown.element);
  }
}
