/** The nodes of a line's content, from the tokens of grammar.js. */
import { piece } from "./pieces.js";

/** @typedef {import("markdown-it").Token} Token */
/** @typedef {import("./pieces.js").Piece} Piece */

/** @type {Record<string, import("./pieces.js").Kind>} */
const PAIRS = { strong_open: "strong", em_open: "emphasis", s_open: "struck", link_open: "link" };

/** @param {Token[]} tokens @returns {Piece[]} */
export function spansOf(tokens) {
  const root = piece("none");
  const stack = [root];
  for (const token of tokens) {
    const top = /** @type {Piece} */ (stack.at(-1));
    const kind = PAIRS[token.type];
    if (kind) {
      const pair = piece(kind, { href: String(token.attrGet("href") ?? "") });
      top.children.push(pair);
      stack.push(pair);
    } else if (token.nesting < 0) stack.pop();
    else addSpan(top, token);
  }
  return root.children;
}

/** @param {Piece} parent @param {Token} token */
function addSpan(parent, token) {
  switch (token.type) {
    case "text":
    case "text_special":
      return addText(parent, token.content);
    case "softbreak":
      return addText(parent, "\n");
    case "hardbreak":
      return parent.children.push(piece("break"));
    case "code_inline":
      return parent.children.push(piece("literal", { text: token.content }));
    case "math":
      return parent.children.push(piece("math", { text: token.content, display: token.info === "display" }));
    case "image": {
      const href = String(token.attrGet("src") ?? "");
      return parent.children.push(piece("image", { href, info: plain(token.children ?? []) }));
    }
    default:
      throw new Error(`no span for ${token.type}`);
  }
}

/** @param {Piece} parent @param {string} text */
function addText(parent, text) {
  const last = parent.children.at(-1);
  if (last?.kind === "text") last.text += text;
  else if (text) parent.children.push(piece("text", { text }));
}

/** @param {Token[]} tokens @returns {string} */
function plain(tokens) {
  return tokens
    .map(({ type, content, children }) => {
      if (type === "image") return plain(children ?? []);
      return type === "softbreak" || type === "hardbreak" ? "\n" : content;
    })
    .join("");
}
