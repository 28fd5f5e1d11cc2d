/** Elements whose children come and change while an answer is written. */
import { boxesFor } from "./boxes.js";
import { directionIn } from "./direction.js";
import { elementFor, refresh, TAKES } from "./elements.js";

/** @typedef {import("../../markdown/pieces.js").Piece} Piece */
/** @typedef {import("./view.js").Setting} Setting */
/**
 * What stands in the page for a node.
 *
 * @typedef {object} Shown
 * @property {ChildNode} element
 * @property {(node: Piece) => boolean} takes whether it can go on as what shows this node
 * @property {(node: Piece) => void} show
 * @property {Shown[]} children that may still change
 */

const DIRECTED = new Set(["list", "item", "quote", "table"]);

/** Shows the children of its node: of those that are final it knows nothing any more. */
export class Branch {
  /** @type {Shown[]} */
  children = [];
  #kind;
  #setting;
  #directed;
  #boxes;

  /** @param {Piece} node @param {Setting} setting @param {HTMLElement} [element] */
  constructor(node, setting, element = elementFor(node)) {
    this.#kind = node.kind;
    this.#setting = setting;
    this.#directed = !DIRECTED.has(node.kind);
    this.#boxes = boxesFor(node.kind);
    this.element = element;
  }

  /** @param {Piece} node */
  takes({ kind, checked }) {
    const isTask = this.element.localName === "label";
    if (isTask !== (kind === "paragraph" && checked !== null)) return false;
    return kind === this.#kind || (TAKES[this.#kind]?.includes(kind) ?? false);
  }

  /** @param {Piece} node */
  show(node) {
    const { children, done, kind } = node;
    this.#kind = kind;
    if (node.source) this.#setting.waiting.set(node, this);
    this.element = refresh(this.element, node);
    this.#split(children);
    children.forEach((child, i) => {
      this.#showAt(i, child);
    });
    for (const { element } of this.children.splice(children.length)) element.remove();
    this.#direct();
    for (const { element } of this.children.splice(0, done)) this.#boxes?.settled(element, this.element);
  }

  /** Shows a node that was final anew. @param {Piece} node */
  renew(node) {
    const box = this.element.querySelector(":scope > input");
    this.element.replaceChildren(...(box ? [box] : []));
    this.children = [];
    this.#boxes = boxesFor(node.kind);
    this.show(node);
  }

  /** @param {Shown} shown whose element is new */
  place(shown) {
    (this.#boxes?.last ?? this.element).append(shown.element);
    this.#boxes?.placed(shown.element);
  }

  /** @param {number} i @param {Piece} node */
  #showAt(i, node) {
    const old = this.children[i];
    if (old && !node.renewed && old.takes(node)) return old.show(node);
    const shown = this.#setting.make(node, this.#setting);
    shown.show(node);
    if (old) old.element.replaceWith(shown.element);
    else this.place(shown);
    this.children[i] = shown;
  }

  /** Where one text has become two, so has its node: a selection in it stays. @param {Piece[]} nodes */
  #split(nodes) {
    for (let i = 0; i + 1 < nodes.length; i++) {
      const text = this.children[i]?.element;
      const [first, second] = [nodes[i], nodes[i + 1]];
      if (!(text instanceof Text) || first?.kind !== "text" || second?.kind !== "text") continue;
      if (text.length <= first.text.length || !text.data.startsWith(first.text)) continue;
      const rest = text.splitText(first.text.length);
      this.children.splice(i + 1, 0, this.#setting.make(second, this.#setting, rest));
    }
  }

  /** A list, a quote or a table runs as its first word does. What is final had none when it was looked at. */
  #direct() {
    if (this.#directed) return;
    for (const { element } of this.children) {
      const direction = directionIn(element);
      if (!direction) continue;
      this.element.dir = direction;
      this.#directed = true;
      return;
    }
  }
}
