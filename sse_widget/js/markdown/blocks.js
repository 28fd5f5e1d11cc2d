/** Blocks as a tree, from the flat tokens of grammar.js. */

/** @typedef {import("markdown-it").Token} Token */
/**
 * A block of the text that was parsed, lines counted from 0.
 *
 * @typedef {object} Block
 * @property {"document" | "stood" | "list" | "item" | "quote" | "paragraph" | "heading" | "fence" | "code" | "table"
 *   | "row" | "rule" | "math" | "reference"} type
 * @property {number} start its first line
 * @property {number} end the line after its last
 * @property {number} column where it begins, inside its container
 * @property {boolean} blank whether an empty line parts it from the block before, inside its container
 * @property {Block[]} children
 * @property {string} content text of a leaf, without the marks of its containers
 * @property {string} markup the marks that make a fence, or the bullet of an item
 * @property {string} info of a fence; the number of an item
 * @property {string} label of a reference
 * @property {number} level of a heading
 * @property {number} indent where the children of an item begin
 * @property {boolean} emptyEnd whether an item ends in an empty line
 * @property {boolean} pending whether math is not closed yet
 * @property {string[]} cells of a row
 * @property {string[]} aligns of the columns of a table
 */

/** @type {Record<string, Block["type"]>} */
const TYPES = {
  stood: "stood",
  bullet_list_open: "list",
  ordered_list_open: "list",
  list_item_open: "item",
  blockquote_open: "quote",
  paragraph_open: "paragraph",
  heading_open: "heading",
  fence: "fence",
  code_block: "code",
  table_open: "table",
  tr_open: "row",
  hr: "rule",
  math_block: "math",
  reference_definition: "reference",
};

/** @param {Token[]} tokens @returns {Block} the document */
export function blocksOf(tokens) {
  const root = blockOf("document", null);
  const stack = [root];
  for (const token of tokens) {
    const top = /** @type {Block} */ (stack.at(-1));
    const type = TYPES[token.type];
    if (type) {
      const block = blockOf(type, token);
      top.children.push(block);
      if (token.nesting === 1) stack.push(block);
    } else if (token.type === "inline") addText(top, token.content);
    else if (token.type === "th_open")
      stack.at(-2)?.aligns.push(/:(\w+)/.exec(String(token.attrGet("style")))?.[1] ?? "");
    else if (token.nesting === -1 && CLOSES.test(token.type)) stack.pop();
  }
  return root;
}

const CLOSES = /^(?:bullet_list|ordered_list|list_item|blockquote|paragraph|heading|table|tr)_close$/;

/** @param {Block} block @param {string} content */
function addText(block, content) {
  if (block.type === "row") block.cells.push(content);
  else block.content = content;
}

/**
 * @param {Block["type"]} type
 * @param {Token | null} token
 * @returns {Block}
 */
function blockOf(type, token) {
  const [start, end] = token?.map ?? [0, 0];
  const meta = /** @type {Partial<Block>} */ (token?.meta ?? {});
  return {
    type,
    start,
    end,
    column: meta.column ?? 0,
    blank: meta.blank ?? false,
    children: [],
    content: token?.content ?? "",
    markup: token?.markup ?? "",
    info: token?.info ?? "",
    label: meta.label ?? "",
    level: type === "heading" ? Number(token?.tag[1]) : 0,
    indent: meta.indent ?? 0,
    // An item that begins with two empty lines has no children: see the list rule.
    emptyEnd: meta.emptyEnd ?? end - start > 1,
    pending: type === "math" && Boolean(token?.hidden),
    cells: [],
    aligns: [],
  };
}
