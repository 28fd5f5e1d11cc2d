/**
 * A text that only grows, as a tree of nodes (pieces.js): what is final stands, and only the open end is parsed again.
 *
 * After each look at the tree, a parse reads the text from the anchor on: the first line that is not final, inside
 * the containers and the leaf that it belongs to. How much that is does not depend on the length of the text. At
 * the end the tree is the one of the whole text read at once. Final pieces change in one case alone, when the definition
 * of a link comes that they name: `revised` has those.
 */
import { blocksOf } from "./blocks.js";
import { parseBlocks } from "./grammar.js";
import { Growth } from "./growth.js";
import { piece, settle } from "./pieces.js";
import { References } from "./references.js";
import { Settlement } from "./settlement.js";
import { isUndecided } from "./tail.js";

/** @typedef {import("./pieces.js").Piece} Piece */
/** @typedef {import("./settlement.js").Anchor} Anchor */

/** UTF-16 units of a paragraph: what is left open at its end, how long it is before it is cut, and when it must be. */
const SEAMS = { margin: 48, after: 160, limit: 4000 };
/** An end this long that stays open, as one line of a table can be, is read again only when it has grown by a part. */
const LONG = 4000;
const GROWTH = 16;

export class MarkdownDocument {
  #seams;
  root = piece("document");
  /** @type {Anchor} */
  #anchor = { spine: [this.root], openers: [], indent: 0, ghost: false, leaf: null, prefix: "" };
  /** Text that is not final, from the anchor on. */
  #rest = "";
  #restRead = 0;
  /** What may yet be the first half of a line end. */
  #carriage = "";
  /** @type {{anchor: Anchor, text: string, forced: boolean} | null} where the leaf began of which a part is final */
  #home = null;
  #references = new References();
  /** Pieces that were final and have changed in the last look: a definition has come that they name. @type {Piece[]} */
  revised = [];
  /** @type {WeakMap<Piece, boolean>} lists and items that are loose for good */
  #loose = new WeakMap();

  /** @param {Partial<typeof SEAMS>} [seams] */
  constructor(seams = {}) {
    this.#seams = { ...SEAMS, ...seams };
  }

  /** @param {string} text */
  append(text) {
    const whole = this.#carriage + text;
    this.#carriage = whole.endsWith("\r") ? "\r" : "";
    this.#rest += whole
      .slice(0, whole.length - this.#carriage.length)
      .replace(/\r\n?/g, "\n")
      .replaceAll("\0", "\ufffd");
  }

  /** Reads what was appended. @returns {Piece} the root, with all that may have changed since the last call */
  read() {
    settle(this.root);
    this.revised = [];
    const { length } = this.#rest;
    if (length > LONG && length - this.#restRead < length / GROWTH) return this.root;
    this.#read(true);
    return this.root;
  }

  /** Reads all as a text that has ended. Text that comes later all the same goes on where it was. @returns {Piece} */
  finish() {
    settle(this.root);
    this.revised = [];
    if (this.#carriage) this.append("\n");
    this.#read(false);
    return this.root;
  }

  /** @param {boolean} open whether more text may follow */
  #read(open) {
    const source = this.#anchor.prefix + (open ? shown(this.#rest) : this.#rest);
    const env = { references: Object.create(this.#references.known), open };
    const growth = new Growth(this.#anchor, env, source, this.#loose);
    const fits = growth.grow(blocksOf(parseBlocks(source, env)));
    const settlement = new Settlement(growth, this.#references, { ...this.#seams });
    if (!fits || (this.#home && this.#isWrong(this.#home, env, settlement))) return this.#readAgain(open);
    if (open) this.#move(settlement.next(), source);
    this.#restRead = this.#rest.length;
    this.revised = this.#references.revise(open ? {} : env.references);
  }

  /**
   * Whether the final part of a paragraph may be wrong now that the paragraph ends: it was cut where later text could
   * change it, or a definition came with the very end.
   *
   * @param {{forced: boolean}} home
   * @param {{references: object, open: boolean}} env
   * @param {Settlement} settlement
   */
  #isWrong({ forced }, { references, open }, settlement) {
    if (forced && (!open || settlement.endsLeaf())) return true;
    return !open && Object.keys(references).length > 0 && this.#anchor.leaf?.stood.includes("[") === true;
  }

  /** What was taken for the beginning of a leaf was none: the leaf is read once more, whole. @param {boolean} open */
  #readAgain(open) {
    const home = this.#home;
    if (!home) throw new Error("a leaf was cut that has no beginning");
    this.#anchor = home.anchor;
    this.#rest = home.text + this.#rest;
    this.#home = null;
    const { leaf } = this.#anchor;
    if (leaf) throw new Error("a leaf begins inside another");
    this.#read(open);
    const top = /** @type {Piece} */ (home.anchor.spine.at(-1));
    const first = top.children[0];
    if (first) first.renewed = true;
  }

  /** @param {import("./settlement.js").Move} move @param {string} source */
  #move({ anchor, at, home, forced }, source) {
    const dropped = at - this.#anchor.prefix.length;
    const text = this.#rest.slice(0, dropped);
    if (!anchor.leaf) this.#home = null;
    else if (anchor.leaf === this.#anchor.leaf)
      this.#home = this.#home && {
        ...this.#home,
        text: this.#home.text + text,
        forced: this.#home.forced || forced,
      };
    else if (home) this.#home = { anchor: home.anchor, text: source.slice(home.at, at), forced };
    this.#anchor = anchor;
    this.#rest = this.#rest.slice(dropped);
  }
}

/** @param {string} text @returns {string} without a last line that could become anything */
function shown(text) {
  const from = text.lastIndexOf("\n") + 1;
  return isUndecided(text.slice(from)) ? text.slice(0, from) : text;
}
