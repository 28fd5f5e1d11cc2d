/** What shows which node. */
import { Branch } from "./branch.js";
import { Code } from "./code.js";
import { Formula } from "./formula.js";
import { Picture } from "./picture.js";
import { Table } from "./table.js";
import { Words } from "./words.js";

/** @typedef {import("../../markdown/pieces.js").Piece} Piece */
/** @typedef {import("./branch.js").Shown} Shown */
/** @typedef {import("./view.js").Setting} Setting */

/**
 * @param {Piece} node
 * @param {Setting} setting
 * @param {Text} [text] that stands in the page already
 * @returns {Shown}
 */
export function shownFor(node, setting, text = setting.document.createTextNode("")) {
  switch (node.kind) {
    case "text":
    case "none":
      return new Words(node.kind, text);
    case "code":
      return new Code(node, setting);
    case "math":
      return new Formula(node, setting);
    case "image":
      return new Picture(node, setting);
    case "table":
      return new Table(node, setting);
    default:
      return new Branch(node, setting);
  }
}
