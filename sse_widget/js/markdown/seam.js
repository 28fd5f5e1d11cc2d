/** Where a paragraph may be cut so that what stands before the cut is read the same whatever follows it. */
import { parseProbed } from "./grammar.js";
import { SPAN_LIMIT } from "./math.js";
import { addressMayFollow } from "./repair.js";
import { spansOf } from "./spans.js";

/** @typedef {import("./grammar.js").Env} Env */
/** @typedef {import("markdown-it").Token} Token */
/**
 * @typedef {object} Seam
 * @property {number} at
 * @property {import("./pieces.js").Piece[]} spans of the text before it
 * @property {boolean} forced whether later text could still change them
 */

/** Where text could be cut, were it not for marks that are open: before a single blank, or at the end of a line. */
const GAP = /(?<=[^\s\\]) (?=\S)|(?<=[^\s\\])\n(?=\S)/g;
const TRIES = 4;

/**
 * @param {string} text
 * @param {{after: number, before: number, limit: number}} range the cut lies between, or, in a text that is longer
 *   than the limit, is forced
 * @param {Env} env
 * @returns {Seam | null}
 */
export function seamIn(text, { after, before, limit }, env) {
  const gaps = [...text.slice(0, before + 1).matchAll(GAP)]
    .map(({ index }) => index)
    .filter((at) => at >= after);
  const last = gaps.at(-1);
  if (last === undefined) return null;
  for (let turn = 0; turn < TRIES; turn++) {
    const at = gaps[Math.floor(((gaps.length - 1) * (TRIES - turn)) / TRIES)];
    const spans = at === undefined ? null : spansBefore(text.slice(0, at), env);
    if (at !== undefined && spans) return { at, spans, forced: false };
  }
  if (text.length < limit) return null;
  return { at: last, spans: spansOf(parseProbed(text.slice(0, last), env).tokens), forced: true };
}

/** @param {string} text @param {Env} env */
function spansBefore(text, env) {
  const { tokens, unmatched } = parseProbed(text, env);
  return unmatched || isOpen(text, tokens) ? null : spansOf(tokens);
}

/**
 * Whether marks stand as text that later text could turn into code, math or a link.
 *
 * @param {string} text
 * @param {Token[]} tokens
 */
function isOpen(text, tokens) {
  const nearby = text.slice(-SPAN_LIMIT);
  let depth = 0;
  for (const { type, content, markup } of tokens) {
    if (type === "text_special" && (markup === "\\(" || markup === "\\[") && nearby.includes(markup))
      return true;
    if (type !== "text") continue;
    if (content.includes("`") || (content.includes("$") && nearby.includes("$"))) return true;
    for (const mark of content.match(/[[\]]/g) ?? [])
      depth = mark === "[" ? depth + 1 : Math.max(0, depth - 1);
  }
  return depth > 0 || addressMayFollow(text);
}
