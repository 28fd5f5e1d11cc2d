/**
 * Tables, which scroll sideways by themselves where they are too wide.
 *
 * A browser lays out a whole table for every cell that comes. So a long one keeps the columns that its first rows
 * made, and its rows go into boxes that are laid out one by one.
 */
import { element } from "../element.js";
import { Branch } from "./branch.js";

/** @typedef {import("../../markdown/pieces.js").Piece} Piece */
/** @typedef {import("./branch.js").Shown} Shown */
/** @typedef {import("./view.js").Setting} Setting */

const LONG_ROWS = 60;
const BODY_ROWS = 100;
/** Room for what is longer in the rows to come. */
const SPARE = 1.2;

export class Table extends Branch {
  #head = element("thead");
  #body = element("tbody");
  #table = element("table", {}, this.#head, this.#body);
  #rows = 0;
  #long = false;

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

  /** @override @param {Piece} node */
  show(node) {
    super.show(node);
    if (!this.#long && this.#rows > LONG_ROWS && this.#table.offsetWidth) this.#lengthen();
  }

  /** @override @param {Shown} shown */
  place(shown) {
    const row = /** @type {HTMLTableRowElement} */ (shown.element);
    if (row.cells[0]?.localName === "th") return this.#head.append(row);
    if (this.#long && this.#body.rows.length >= BODY_ROWS) this.#addBody();
    this.#rows++;
    this.#body.append(row);
    if (this.#long) name(row);
  }

  #addBody() {
    this.#body = element("tbody", { role: "rowgroup" });
    this.#table.append(this.#body);
  }

  /** Rows become grids, which are no table any more to a screen reader unless they say so. */
  #lengthen() {
    this.#long = true;
    const widths = Array.from(this.#head.rows[0]?.cells ?? [], (cell) => {
      return `${Math.ceil(cell.getBoundingClientRect().width * SPARE)}px`;
    });
    this.#table.style.setProperty("--ssew-columns", widths.join(" "));
    this.#table.className = "ssew-long";
    this.#table.setAttribute("role", "table");
    for (const part of [this.#head, this.#body]) part.setAttribute("role", "rowgroup");
    for (const row of this.#table.rows) name(row);
    this.#addBody();
  }
}

/** @param {HTMLTableRowElement} row */
function name(row) {
  row.setAttribute("role", "row");
  for (const cell of row.cells) cell.setAttribute("role", cell.localName === "th" ? "columnheader" : "cell");
}
