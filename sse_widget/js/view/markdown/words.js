/** Text inside a line. */

/** @typedef {import("../../markdown/pieces.js").Piece} Piece */

export class Words {
  /** @type {[]} */
  children = [];
  #kind;

  /** @param {"text" | "none"} kind @param {Text} element */
  constructor(kind, element) {
    this.#kind = kind;
    this.element = element;
  }

  /** @param {Piece} node */
  takes({ kind }) {
    return kind === this.#kind;
  }

  /** Changes no more than differs, so that the rest stays selected. @param {Piece} node */
  show({ kind, text }) {
    const { data } = this.element;
    if (kind === "none" || text === data) return;
    if (text.startsWith(data)) this.element.appendData(text.slice(data.length));
    else if (data.startsWith(text)) this.element.deleteData(text.length, data.length);
    else this.element.data = text;
  }
}
