/** What a view shows: nodes of a closed set of kinds, so that no text can become anything else. */

/**
 * A node whose first children may be final. A view shows `children`, then forgets the first `done` of them, as the
 * document does: they stay as they are shown.
 *
 * @typedef {object} Piece
 * @property {Kind} kind
 * @property {Piece[]} children that are not final yet, or have become so since the last look
 * @property {number} done how many of the first children are final now
 * @property {string} text of a text, code, math or reference
 * @property {string} final code: lines that have become final since the last look; they stand before `text`
 * @property {string} info a fence's language, an image's text, a column's alignment
 * @property {string} href of a link, an image; "" for a link that is not complete
 * @property {number} level of a heading; the first number of an ordered list
 * @property {boolean} ordered of a list
 * @property {boolean} loose of a list: its paragraphs stand apart
 * @property {boolean} display of math that has a line of its own; of a row that is the head
 * @property {boolean} pending of math that is not closed, so that it is shown as its source
 * @property {boolean | null} checked of a paragraph that is a task
 * @property {string} stood the part of a paragraph's source whose spans are final
 * @property {string} source of a text with brackets, which a definition that comes later may turn into links
 * @property {boolean} renewed nothing of what was shown of it before stands
 */
/**
 * @typedef {"document" | "list" | "item" | "quote" | "paragraph" | "heading" | "code" | "table" | "row" | "cell"
 *   | "rule" | "math" | "none" | "text" | "strong" | "emphasis" | "struck" | "literal" | "link" | "image" | "break"
 * } Kind
 */

/**
 * @param {Kind} kind
 * @param {Partial<Piece>} [values]
 * @returns {Piece}
 */
export function piece(kind, values = {}) {
  return {
    kind,
    children: [],
    done: 0,
    text: "",
    final: "",
    info: "",
    href: "",
    level: 0,
    ordered: false,
    loose: false,
    display: false,
    pending: false,
    checked: null,
    stood: "",
    source: "",
    renewed: false,
    ...values,
  };
}

/** Forgets what is final, once it has been shown. @param {Piece} shown */
export function settle(shown) {
  for (const child of shown.children) settle(child);
  shown.children.splice(0, shown.done);
  shown.done = 0;
  shown.final = "";
  shown.renewed = false;
}
