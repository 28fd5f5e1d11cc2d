/**
 * Boxes inside what grows long. A browser looks at all children of a box again when one of them grows, and breaks all
 * its lines anew: so what comes next goes into a box of its own, and what it costs does not depend on what stands.
 */
import { element } from "../element.js";

/** Top-level blocks, and items of a list. */
const CHILDREN = 100;
/** UTF-16 units of a paragraph: a box ends with a sentence, if one ends between the two. */
const TEXT = { least: 2000, most: 3000 };
const SENTENCE_END = /[.!?:;\u2026\u3002\u061b\u061f\u06d4]["'\u00bb\u201d\u2019)]*\s*$/;

/** @param {string} kind */
export function boxesFor(kind) {
  if (kind === "paragraph") return new Boxes("span", isFullOfText);
  if (kind === "document") return new Boxes("div", isFullOfChildren);
  return kind === "list" ? new ListBoxes("div", isFullOfChildren) : null;
}

class Boxes {
  /** @type {HTMLElement | null} where children go, if not into the element itself */
  last = null;
  #tag;
  #isFull;
  #size = { children: 0, text: 0 };

  /** @param {"span" | "div"} tag @param {(size: {children: number, text: number}, child: ChildNode) => boolean} isFull */
  constructor(tag, isFull) {
    this.#tag = tag;
    this.#isFull = isFull;
  }

  /** A child has become final: what follows it may need a box. @param {ChildNode} child @param {HTMLElement} parent */
  settled(child, parent) {
    this.#size.children++;
    if (this.#tag === "span") this.#size.text += child.textContent?.length ?? 0;
    if (!this.#isFull(this.#size, child)) return;
    this.#size = { children: 0, text: 0 };
    const rest = [];
    for (let next = child.nextSibling; next; next = next.nextSibling) rest.push(next);
    this.last = element(this.#tag, { className: "ssew-box" });
    this.last.append(...rest);
    this.opened(this.last, parent);
    parent.append(this.last);
  }

  /** @param {HTMLElement} _box @param {HTMLElement} _parent */
  opened(_box, _parent) {}

  /** @param {ChildNode} _child that has come */
  placed(_child) {}
}

/** A list whose items stand in boxes says what it is, and a box where its numbers begin. */
class ListBoxes extends Boxes {
  #items = 0;

  /** @override @param {HTMLElement} box @param {HTMLElement} list */
  opened(box, list) {
    list.setAttribute("role", "list");
    box.setAttribute("role", "none");
    this.#items += CHILDREN;
    for (const item of box.childNodes) this.placed(item);
    const [first] = box.children;
    if (list.localName === "ol" && first instanceof HTMLLIElement) {
      first.value = Number(list.getAttribute("start") ?? 1) + this.#items;
    }
  }

  /** @override @param {ChildNode} child */
  placed(child) {
    if (this.last && child instanceof HTMLElement) child.setAttribute("role", "listitem");
  }
}

/** @param {{children: number}} size */
function isFullOfChildren({ children }) {
  return children >= CHILDREN;
}

/** @param {{text: number}} size @param {ChildNode} child */
function isFullOfText({ text }, child) {
  return text >= TEXT.most || (text >= TEXT.least && SENTENCE_END.test(child.textContent ?? ""));
}
