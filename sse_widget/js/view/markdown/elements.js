/**
 * The elements that an answer can become, and their attributes. There are no others: all are made here and in the
 * modules of code, math, pictures and tables, by name, and never from text.
 */
import { element } from "../element.js";

/** @typedef {import("../../markdown/pieces.js").Piece} Piece */

/** What may turn into what when its next line comes. */
/** @type {Record<string, string[]>} */
export const TAKES = { paragraph: ["heading"], heading: ["paragraph"] };

/** @type {Partial<Record<Piece["kind"], keyof HTMLElementTagNameMap>>} */
const TAGS = {
  item: "li",
  quote: "blockquote",
  row: "tr",
  rule: "hr",
  strong: "strong",
  emphasis: "em",
  struck: "del",
  break: "br",
};
/** @type {(keyof HTMLElementTagNameMap)[]} */
const HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"];

/** @param {Piece} node @returns {HTMLElement} */
export function elementFor(node) {
  const made = element(tagOf(node));
  if (node.kind === "paragraph" && node.checked !== null) {
    const box = element("input", { type: "checkbox", disabled: true, checked: node.checked });
    made.append(box);
  }
  if (["paragraph", "heading", "cell"].includes(node.kind)) made.dir = "auto";
  if (node.kind === "literal") made.dir = "ltr";
  if (node.kind === "cell" && node.display) made.setAttribute("scope", "col");
  if (node.kind === "list" && node.ordered && node.level !== 1)
    made.setAttribute("start", String(node.level));
  return refresh(made, node);
}

/** @param {Piece} node @returns {keyof HTMLElementTagNameMap} */
function tagOf({ kind, ordered, level, display, checked }) {
  switch (kind) {
    case "list":
      return ordered ? "ol" : "ul";
    case "heading":
      return HEADINGS[level - 1] ?? "h6";
    case "paragraph":
      return checked === null ? "p" : "label";
    case "cell":
      return display ? "th" : "td";
    case "literal":
      return "code";
    case "link":
      return "a";
    default: {
      const tag = TAGS[kind];
      if (!tag) throw new Error(`no element for ${kind}`);
      return tag;
    }
  }
}

/**
 * Brings the attributes up to date that can change.
 *
 * @param {HTMLElement} made
 * @param {Piece} node
 * @returns {HTMLElement} the same, or, in its place, one of another name
 */
export function refresh(made, node) {
  switch (node.kind) {
    case "list":
      made.classList.toggle("ssew-loose", node.loose);
      break;
    case "cell":
      made.style.textAlign = ALIGNS[node.info] ?? "";
      break;
    case "literal":
      if (made.textContent !== node.text) made.textContent = node.text;
      break;
    case "link":
      if (node.href && made.getAttribute("href") !== node.href) link(made, node.href);
      break;
    case "paragraph":
    case "heading":
      return made.localName === tagOf(node) ? made : renamed(made, tagOf(node));
  }
  return made;
}

/** @type {Record<string, string>} */
const ALIGNS = { left: "left", center: "center", right: "right" };

/** @param {HTMLElement} made @param {string} href */
function link(made, href) {
  made.setAttribute("href", href);
  made.setAttribute("target", "_blank");
  made.setAttribute("rel", "noopener noreferrer nofollow");
  // Where it leads, whatever its text says.
  made.title = href;
}

/** @param {HTMLElement} old @param {keyof HTMLElementTagNameMap} tag */
function renamed(old, tag) {
  const made = element(tag, { dir: "auto" });
  made.append(...old.childNodes);
  old.replaceWith(made);
  return made;
}
