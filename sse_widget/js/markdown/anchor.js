/**
 * Where the next parse begins, in the middle of containers and leaves whose beginnings are final.
 *
 * What is final is stood for by a prefix: lines that open the containers again, and, within a leaf, what makes
 * the parser read on in such a leaf. So the parser itself says what the next lines are, by the rules that
 * it has for the whole text.
 */
import { STOOD } from "./grammar.js";

/** @typedef {import("./blocks.js").Block} Block */
/**
 * A container that is opened again. `width` is how many columns after its container's content its own begins.
 *
 * @typedef {{kind: "item" | "quote", marker: string, width: number}} Opener
 */

// CommonMark 5.2
const WIDEST_LEAD = 3;
const WIDEST_GAP = 4;

/** @param {Block} item @param {number} indent where the content of its container begins @returns {Opener} */
export function itemOpener({ info, markup, indent: content }, indent) {
  return { kind: "item", marker: info + markup, width: content - indent };
}

/** What stands for an item that has ended, so wide that no line can belong to it. @param {Block} item @returns {Opener} */
export function ghostOpener({ info, markup }) {
  const marker = info + markup;
  return { kind: "item", marker, width: marker.length + WIDEST_LEAD + WIDEST_GAP };
}

/** @type {Opener} */
export const QUOTE = { kind: "quote", marker: ">", width: 0 };

/** @param {Opener[]} openers @returns {string} the beginning of a line that stays inside them */
function staying(openers) {
  return openers.map(({ kind, width }) => (kind === "quote" ? "> " : " ".repeat(width))).join("");
}

/** Opens them all, each in a line of its own. @param {Opener[]} openers @returns {string} */
export function afterChildren(openers) {
  return openers
    .map((opener, depth) => `${staying(openers.slice(0, depth))}${opening(opener)}${STOOD}\n`)
    .join("");
}

/** @param {Opener} opener */
function opening({ kind, marker, width }) {
  if (kind === "quote") return "> ";
  const blanks = width - marker.length;
  const gap = Math.min(WIDEST_GAP, blanks);
  return " ".repeat(blanks - gap) + marker + " ".repeat(gap);
}

/** @param {Opener[]} openers @param {Block} fence @param {number} indent @returns {string} */
export function insideFence(openers, { column, markup }, indent) {
  return `${afterChildren(openers)}${staying(openers)}${" ".repeat(column - indent)}${markup}\n`;
}

/** @param {Opener[]} openers @returns {string} an indented code block with one line, which is none of the text's */
export function insideCode(openers) {
  return `${afterChildren(openers)}${staying(openers)}    ${WORD}\n`;
}

/** @param {Opener[]} openers @param {string[]} aligns @returns {string} */
export function insideTable(openers, aligns) {
  const rule = aligns.map((align) => RULES[align] ?? "---").join("|");
  const inner = staying(openers);
  return `${afterChildren(openers)}${inner}|${"|".repeat(aligns.length)}\n${inner}|${rule}|\n`;
}

/** @type {Record<string, string>} */
const RULES = { left: ":--", center: ":-:", right: "--:" };

/** What a paragraph's final text is stood for by; no line begins a block with it. */
const WORD = `${STOOD}x`;

/**
 * @param {Opener[]} openers
 * @param {string} line the part of the line that is final: its bars may yet turn it into the head of a table
 */
export function insideParagraph(openers, line) {
  const text = line.replace(MARKS, "");
  const bars = text.match(/(?<!\\)\|/g)?.length ?? 0;
  const stood = text.startsWith("|") ? `|${WORD}${"|".repeat(bars - 1)}` : `${WORD}${"|".repeat(bars)}`;
  return `${afterChildren(openers)}${staying(openers)}${stood}`;
}

const MARKS = /^[\s>]*(?:(?:[-*+]|\d{1,9}[.)])\s+[\s>]*)*/;

/** @param {string} content of a paragraph that began with `insideParagraph` @returns {string} what follows it */
export function withoutStood(content) {
  return content.replace(STOOD_WORD, "");
}

const STOOD_WORD = new RegExp(`^\\|?${WORD}\\|*`);
