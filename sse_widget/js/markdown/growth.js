/** One parse, grown onto the tree: nodes that are open go on, all behind them is new. */
import { withoutStood } from "./anchor.js";
import { parseSpans, unescaped } from "./grammar.js";
import { piece } from "./pieces.js";
import { spansOf } from "./spans.js";
import { withoutWaiting } from "./tail.js";

/** @typedef {import("./blocks.js").Block} Block */
/** @typedef {import("./grammar.js").Env} Env */
/** @typedef {import("./pieces.js").Piece} Piece */
/** @typedef {import("./settlement.js").Anchor} Anchor */

const TASK = /^\[([ xX])\](?=[ \t\n])\s*/;

export class Growth {
  /** @type {WeakMap<Piece, Block>} */
  blockOf = new WeakMap();
  /** @type {Piece | null} the paragraph, heading or cell that the text ends in, while it may go on */
  open = null;
  #anchor;

  /**
   * @param {Anchor} anchor
   * @param {Env} env
   * @param {string} source
   * @param {WeakMap<Piece, boolean>} loose
   */
  constructor(anchor, env, source, loose) {
    this.#anchor = anchor;
    this.env = env;
    this.source = source;
    this.loose = loose;
    /** How many lines are whole. */
    this.whole = source.split("\n").length - 1;
    this.lines = this.whole + (source.endsWith("\n") || !source ? 0 : 1);
  }

  get anchor() {
    return this.#anchor;
  }

  /** @param {Block} root @returns {boolean} whether the leaf that the anchor lies in goes on as it was taken for */
  grow(root) {
    const { spine } = this.#anchor;
    return this.#goOn(/** @type {Piece} */ (spine[0]), root, 0, true);
  }

  /**
   * The spans of a text at the open end.
   *
   * @param {string} text
   */
  spansBehind(text) {
    return spansOf(parseSpans(withoutWaiting(text), this.env));
  }

  /** @param {Piece} parent @param {Block} block @param {number} depth @param {boolean} last @returns {boolean} */
  #goOn(parent, block, depth, last) {
    this.blockOf.set(parent, block);
    const { spine, leaf, ghost } = this.#anchor;
    const inner = spine[depth + 1];
    const fresh = block.children.filter(({ type }) => type !== "stood");
    let fits = true;
    parent.children = [];
    if (ghost && !inner) fresh.shift();
    const first = inner || leaf ? fresh.shift() : undefined;
    if (first && inner) fits = this.#goOn(inner, first, depth + 1, last && fresh.length === 0);
    else if (first && leaf) fits = this.#goOnLeaf(leaf, first, last && fresh.length === 0);
    if (first) parent.children.push(/** @type {Piece} */ (inner ?? leaf));
    fresh.forEach((child, i) => {
      parent.children.push(this.#node(child, last && i === fresh.length - 1));
    });
    this.#loosen(parent, block);
    return fits;
  }

  /** @param {Piece} leaf @param {Block} block @param {boolean} last @returns {boolean} */
  #goOnLeaf(leaf, block, last) {
    this.blockOf.set(leaf, block);
    if (leaf.kind === "code") {
      leaf.text =
        block.type === "code" ? block.content.slice(block.content.indexOf("\n") + 1) : block.content;
      return block.type === "fence" || block.type === "code";
    }
    if (leaf.kind === "table") {
      leaf.children = this.#rows(block.children.slice(1), leaf, last);
      return block.type === "table";
    }
    // A heading is no task.
    const text = block.type === "paragraph" || (block.type === "heading" && leaf.checked === null);
    if (!text) return false;
    leaf.kind = /** @type {"paragraph" | "heading"} */ (block.type);
    leaf.level = block.level;
    leaf.children = this.#spans(leaf, withoutStood(block.content), this.#isOpen(block, last));
    return true;
  }

  /**
   * @param {Block} block
   * @param {boolean} last whether nothing stands behind it, in any container
   * @param {boolean} [task] whether it may be a task: the first of an item
   * @returns {Piece}
   */
  #node(block, last, task = false) {
    const made = task && block.type === "paragraph" ? this.#task(block, last) : this.#made(block, last);
    this.blockOf.set(made, block);
    return made;
  }

  /** @param {Block} block @param {boolean} last @returns {Piece} */
  #made(block, last) {
    switch (block.type) {
      case "list":
        return this.#container(piece("list", listValues(block)), block, last);
      case "quote":
        return this.#container(piece("quote"), block, last);
      case "item":
        return this.#item(block, last);
      case "paragraph":
      case "heading":
        return this.#text(piece(block.type, { level: block.level }), block, block.content, last);
      case "fence":
      case "code":
        return piece("code", { info: unescaped(block.info).split(/\s/)[0] ?? "", text: block.content });
      case "table": {
        const table = piece("table");
        table.children = this.#rows(block.children, table, last, block.aligns);
        return table;
      }
      case "math":
        return piece("math", { text: block.content, display: true, pending: block.pending });
      case "rule":
        return piece("rule");
      default:
        return piece("none");
    }
  }

  /** @param {Block} block @param {boolean} last */
  #task(block, last) {
    const box = TASK.exec(block.content);
    const checked = box && box[1] !== " ";
    return this.#text(
      piece("paragraph", { checked }),
      block,
      block.content.slice(box?.[0].length ?? 0),
      last,
    );
  }

  /** @param {Piece} container @param {Block} block @param {boolean} last @returns {Piece} */
  #container(container, block, last) {
    const end = block.children.length - 1;
    container.children = block.children.map((child, i) => this.#node(child, last && i === end));
    this.#loosen(container, block);
    return container;
  }

  /** @param {Block} block @param {boolean} last @returns {Piece} */
  #item(block, last) {
    const end = block.children.length - 1;
    const children = block.children.map((child, i) => this.#node(child, last && i === end, i === 0));
    return piece("item", { children });
  }

  /** @param {Piece} leaf @param {Block} block @param {string} content @param {boolean} last @returns {Piece} */
  #text(leaf, block, content, last) {
    leaf.children = this.#spans(leaf, content, this.#isOpen(block, last));
    return leaf;
  }

  /** @param {Block} block @param {boolean} last */
  #isOpen(block, last) {
    if (!last || !this.env.open) return false;
    // What has one line is over with it, but for a paragraph, which goes on until a line that ends it.
    if (block.type === "paragraph" || (block.type === "heading" && block.end - block.start > 1)) {
      return block.end >= this.lines;
    }
    return block.start >= this.whole;
  }

  /** @param {Piece} leaf @param {string} content @param {boolean} open @returns {Piece[]} */
  #spans(leaf, content, open) {
    const source = leaf.stood + content;
    leaf.source = source.includes("[") ? source : "";
    if (!open) return spansOf(parseSpans(content, { ...this.env, open: false }));
    this.open = leaf;
    return this.spansBehind(content);
  }

  /**
   * @param {Block[]} rows
   * @param {Piece} table
   * @param {boolean} last
   * @param {string[]} [aligns]
   * @returns {Piece[]}
   */
  #rows(rows, table, last, aligns) {
    const columns = aligns ?? this.#anchor.aligns ?? [];
    table.level = columns.length;
    return rows.map((block, i) => {
      const row = piece("row", { display: aligns !== undefined && i === 0 });
      this.blockOf.set(row, block);
      const lastRow = last && i === rows.length - 1;
      const filled = block.cells.reduce((at, cell, column) => (cell ? column : at), -1);
      row.children = block.cells.map((content, column) => {
        const cell = piece("cell", { info: columns[column] ?? "", display: row.display });
        return this.#text(cell, block, content, lastRow && column === filled);
      });
      return row;
    });
  }

  /** @param {Piece} container @param {Block} block */
  #loosen(container, block) {
    if (container.kind !== "list") return;
    const items = block.children;
    container.loose =
      this.loose.get(container) === true ||
      items.some(
        (item, i) => item.children.some(({ blank }) => blank) || (item.emptyEnd && i < items.length - 1),
      ) ||
      container.children.some((item) => this.loose.get(item) === true);
  }
}

/** @param {Block} list */
function listValues({ children }) {
  const number = children[0]?.info ?? "";
  return { ordered: number !== "", level: Number(number) };
}
