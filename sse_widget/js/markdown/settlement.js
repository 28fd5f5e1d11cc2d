/** What of a tree is final after a parse, and where the next parse begins. */
import * as anchors from "./anchor.js";
import { seamIn } from "./seam.js";

/** @typedef {import("./blocks.js").Block} Block */
/** @typedef {import("./growth.js").Growth} Growth */
/** @typedef {import("./pieces.js").Piece} Piece */
/** @typedef {import("./anchor.js").Opener} Opener */
/**
 * Where a parse begins: behind the final children of the last node of `spine`, or inside `leaf`, its last child.
 *
 * @typedef {object} Anchor
 * @property {Piece[]} spine from the root down
 * @property {Opener[]} openers what opens them again
 * @property {number} indent where their content begins
 * @property {boolean} ghost whether the last opener is for an item that has ended: its list goes on
 * @property {Piece | null} leaf
 * @property {string[]} [aligns] of a table's columns
 * @property {string} prefix stands for all that is final
 */
/** @typedef {{anchor: Anchor, at: number, home: {anchor: Anchor, at: number} | null, forced: boolean}} Move */
/** @typedef {{spine: Piece[], openers: Opener[], indent: number}} Way */

export class Settlement {
  #growth;
  #references;
  #seams;
  /** @type {number[]} */
  #lineStarts = [0];

  /**
   * @param {Growth} growth
   * @param {import("./references.js").References} references gets those that become final
   * @param {{margin: number, after: number, limit: number}} seams
   */
  constructor(growth, references, seams) {
    this.#growth = growth;
    this.#references = references;
    this.#seams = seams;
    const { source } = growth;
    for (let at = source.indexOf("\n"); at >= 0; at = source.indexOf("\n", at + 1))
      this.#lineStarts.push(at + 1);
  }

  /** Whether the leaf that was cut ends here. */
  endsLeaf() {
    const { leaf } = this.#growth.anchor;
    return leaf !== null && this.#growth.open !== leaf;
  }

  /** Makes final what is, and says where the next parse begins. @returns {Move} */
  next() {
    const { anchor } = this.#growth;
    const root = /** @type {Piece} */ (anchor.spine[0]);
    const move = this.#inside(root, { spine: [root], openers: [], indent: 0 }, null);
    return move ?? { anchor, at: anchor.prefix.length, home: null, forced: false };
  }

  /**
   * @param {Piece} node
   * @param {Way} way to it
   * @param {Move | null} outer
   * @returns {Move | null} null if nothing of it is final and it does not stand already
   */
  #inside(node, way, outer) {
    const { children } = node;
    let done = 0;
    while (done < children.length - 1 && this.#parts(children[done], children[done + 1])) done++;
    this.#fold(node, done);
    node.done = done;
    const own = this.#before(node, children[done], way);
    const last = children[done];
    if (!last || done !== children.length - 1 || !this.#isSure(last)) return own;
    const home = own ?? outer;
    const inner = CONTAINERS.has(last.kind)
      ? this.#inside(last, this.#wayTo(last, node, way), home)
      : this.#leaf(last, way, home);
    return inner ?? own;
  }

  /**
   * Whether no text that follows can change where one block ends and the next begins. Rules look at the line
   * that a block ends before, and for a table at one more.
   *
   * @param {Piece | undefined} before
   * @param {Piece | undefined} after
   */
  #parts(before, after) {
    const a = before && this.#growth.blockOf.get(before);
    const b = after && this.#growth.blockOf.get(after);
    const { whole } = this.#growth;
    // Math that is not closed in a whole line may be text of the paragraph before it.
    if (!a || !b || b.start + 2 > whole || (b.type === "math" && (b.pending || b.end > whole))) return false;
    // A title of a definition can begin in its next line, and end far behind.
    const title = a.type === "reference" && !b.blank && a.end === b.start && /^["'(]/.test(b.content);
    return !title;
  }

  /** Whether a block cannot become the head of a table, which the line after its first may say. @param {Piece} node */
  #isSure(node) {
    const { anchor, blockOf, source, whole } = this.#growth;
    const start = blockOf.get(node)?.start ?? 0;
    if (start + 2 <= whole || anchor.leaf === node || anchor.spine.includes(node)) return true;
    return (
      node.kind === "paragraph" ||
      !source.slice(this.#lineStarts[start], this.#lineStarts[start + 1]).includes("|")
    );
  }

  /** Remembers what is final of a container: what makes it loose, and definitions. @param {Piece} node @param {number} done */
  #fold(node, done) {
    const { blockOf, loose } = this.#growth;
    const blocks = node.children.slice(0, done + 1).map((child) => /** @type {Block} */ (blockOf.get(child)));
    for (const block of blocks.slice(0, done)) this.#define(block);
    for (const child of node.children.slice(0, done)) this.#references.wait(child);
    const isLoose =
      node.kind === "item"
        ? blocks.some(({ blank }) => blank)
        : node.kind === "list" &&
          node.children.slice(0, done).some((item, i) => blocks[i]?.emptyEnd || this.#isLoose(item));
    if (isLoose) loose.set(node, true);
  }

  /** @param {Block} block */
  #define({ type, label, children }) {
    if (type === "reference") this.#references.define(label, this.#growth.env.references);
    for (const child of children) this.#define(child);
  }

  /** @param {Piece} item */
  #isLoose(item) {
    const { loose, blockOf } = this.#growth;
    return loose.get(item) === true || (blockOf.get(item)?.children.some(({ blank }) => blank) ?? false);
  }

  /**
   * The anchor before a child.
   *
   * @param {Piece} node
   * @param {Piece | undefined} child
   * @param {Way} way
   * @returns {Move | null}
   */
  #before(node, child, way) {
    const { blockOf, anchor } = this.#growth;
    const stands = anchor.spine.includes(node);
    const block = child && blockOf.get(child);
    const inLeaf = child === anchor.leaf && child !== null;
    if (!block || inLeaf || (stands && anchor.spine.includes(/** @type {Piece} */ (child)))) return null;
    const at = this.#lineStarts[block.start] ?? 0;
    if (node.kind === "list") return this.#beforeItem(node, way, at);
    // An item that has nothing final yet may turn out to be a task.
    if (node.kind !== "document" && !stands && !node.done) return null;
    return move({ ...way, ghost: false, leaf: null, prefix: anchors.afterChildren(way.openers) }, at);
  }

  /** @param {Piece} list @param {Way} way @param {number} at @returns {Move | null} */
  #beforeItem(list, way, at) {
    const { blockOf, anchor } = this.#growth;
    const last = list.children[list.done - 1];
    const block = last && blockOf.get(last);
    const ghost = anchor.ghost && anchor.spine.at(-1) === list ? anchor.openers.at(-1) : undefined;
    const opener = block ? anchors.ghostOpener(block) : ghost;
    if (!opener) return null;
    const openers = [...way.openers, opener];
    return move({ ...way, openers, ghost: true, leaf: null, prefix: anchors.afterChildren(openers) }, at);
  }

  /** @param {Piece} child @param {Piece} node @param {Way} way @returns {Way} */
  #wayTo(child, node, { spine, openers, indent }) {
    const block = /** @type {Block} */ (this.#growth.blockOf.get(child));
    const longer = [...spine, child];
    if (child.kind === "quote") return { spine: longer, openers: [...openers, anchors.QUOTE], indent: 0 };
    if (node.kind !== "list") return { spine: longer, openers, indent };
    return { spine: longer, openers: [...openers, anchors.itemOpener(block, indent)], indent: block.indent };
  }

  /**
   * @param {Piece} leaf
   * @param {Way} way
   * @param {Move | null} own the anchor before it
   * @returns {Move | null}
   */
  #leaf(leaf, way, own) {
    const block = /** @type {Block} */ (this.#growth.blockOf.get(leaf));
    if (leaf.kind === "code") return this.#inCode(leaf, block, way);
    if (leaf.kind === "table") return this.#inTable(leaf, block, way);
    if (leaf.kind === "paragraph" && this.#growth.open === leaf)
      return this.#inParagraph(leaf, block, way, own);
    return this.#same(leaf);
  }

  /** @param {Piece} leaf @returns {Move | null} */
  #same(leaf) {
    const { anchor } = this.#growth;
    return anchor.leaf === leaf ? move(anchor, anchor.prefix.length) : null;
  }

  /** @param {Piece} leaf @param {Block} block @param {Way} way @returns {Move | null} */
  #inCode(leaf, block, way) {
    const { anchor, whole } = this.#growth;
    const goesOn = anchor.leaf === leaf;
    const fence = block.type === "fence";
    // An indented block ends in a line end whether its last line has one or not.
    const all = leaf.text.split("\n").slice(0, fence || block.end <= whole ? -1 : -2);
    // An item that ends in an empty line is loose, even where that line belongs to its code.
    const lines = all.reduce((count, line, i) => (line.trim() ? i + 1 : count), 0);
    if (!lines) return this.#same(leaf);
    const cut = leaf.text.split("\n", lines).join("\n").length + 1;
    leaf.final = leaf.text.slice(0, cut);
    leaf.text = leaf.text.slice(cut);
    const at = this.#lineStarts[block.start + lines + (fence || goesOn ? 1 : 0)] ?? 0;
    if (goesOn) return move(anchor, at);
    const prefix = fence
      ? anchors.insideFence(way.openers, block, way.indent)
      : anchors.insideCode(way.openers);
    return move({ ...way, ghost: false, leaf, prefix }, at);
  }

  /** @param {Piece} table @param {Block} block @param {Way} way @returns {Move | null} */
  #inTable(table, block, way) {
    const { anchor, whole, blockOf } = this.#growth;
    const goesOn = anchor.leaf === table;
    if (!goesOn && block.start + 2 > whole) return null;
    const rows = table.children.map((row) => /** @type {Block} */ (blockOf.get(row)));
    const done = rows.filter(({ start }) => start < whole).length;
    table.done = done;
    for (const row of table.children.slice(0, done)) this.#references.wait(row);
    const after = rows[done - 1]?.start ?? -1;
    // Behind the head comes the line that rules it off.
    const at = this.#lineStarts[Math.max(after + 1, goesOn ? 0 : block.start + 2)] ?? 0;
    if (goesOn) return move(anchor, Math.max(at, anchor.prefix.length));
    const { aligns } = block;
    return move(
      { ...way, ghost: false, leaf: table, aligns, prefix: anchors.insideTable(way.openers, aligns) },
      at,
    );
  }

  /**
   * @param {Piece} leaf
   * @param {Block} block
   * @param {Way} way
   * @param {Move | null} own
   * @returns {Move | null}
   */
  #inParagraph(leaf, block, way, own) {
    const { anchor, env, source } = this.#growth;
    const text = anchors.withoutStood(block.content);
    const skipped = anchor.leaf === leaf ? 0 : taskLength(leaf, text);
    const { margin, after, limit } = this.#seams;
    const tail = text.slice(skipped);
    const seam =
      tail.length < after + margin
        ? null
        : seamIn(tail, { after: Math.max(after, BOX), before: tail.length - margin, limit }, env);
    if (!seam) return this.#same(leaf);
    leaf.children = [...seam.spans, ...this.#growth.spansBehind(tail.slice(seam.at))];
    leaf.done = seam.spans.length;
    leaf.stood += tail.slice(0, seam.at);
    const at = this.#sourceOf(block, block.content.length - (tail.length - seam.at));
    const line = source.slice(source.lastIndexOf("\n", at - 1) + 1, at);
    const prefix = anchors.insideParagraph(way.openers, line);
    return { anchor: { ...way, ghost: false, leaf, prefix }, at, home: own, forced: seam.forced };
  }

  /** Where a place in a paragraph's content lies in the source. @param {Block} block @param {number} offset */
  #sourceOf({ start, content }, offset) {
    const { source } = this.#growth;
    const lines = content.slice(0, offset).split("\n").length - 1;
    const from = this.#lineStarts[start + lines] ?? 0;
    const to = this.#lineStarts[start + lines + 1] ?? source.length + 1;
    const end = content.indexOf("\n", offset);
    const left = (end < 0 ? content.length : end) - offset;
    const line = source.slice(from, to - 1);
    return from + (end < 0 ? line.trimEnd() : line).length - left;
  }
}

/** Longer than the box of a task. */
const BOX = 6;
const CONTAINERS = new Set(["list", "item", "quote"]);

/** @param {Anchor} anchor @param {number} at @returns {Move} */
function move(anchor, at) {
  return { anchor, at, home: null, forced: false };
}

/** @param {Piece} leaf @param {string} text */
function taskLength(leaf, text) {
  return leaf.checked === null ? 0 : (/^\[.\]\s*/.exec(text)?.[0].length ?? 0);
}
