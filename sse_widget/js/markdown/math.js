/**
 * Mathematics: `$…$` and `\(…\)` in a line, `$$…$$` and `\[…\]` in a line or as a block.
 *
 * A dollar is a mark only where it cannot be money: what opens stands at no letter or digit and before no blank,
 * what closes after no blank and before no letter or digit, and no other dollar stands between. A block ends before the next empty line, and nothing
 * is longer than its limit, so that a mark that is never closed holds nothing up.
 */
import { isOpen } from "./open.js";
import { endsSource } from "./repair.js";

/** @typedef {import("markdown-it").StateInline} StateInline */
/** @typedef {import("markdown-it").StateBlock} StateBlock */

/** UTF-16 units */
export const SPAN_LIMIT = 1000;
const BLOCK_LIMIT = 10_000;
const WORD = /[\p{L}\p{N}_$]/u;
const BLANK = /\s/;

/** @param {import("markdown-it").MarkdownIt} md */
export function addMath(md) {
  md.inline.ruler.before("escape", "math", mathSpan);
  md.block.ruler.before("table", "math", mathBlock, { alt: ["paragraph", "reference"] });
}

/** @param {StateInline} state @param {boolean} silent */
function mathSpan(state, silent) {
  const found = spanAt(state.src, state.pos, state.posMax, isOpen(state));
  if (!found) return false;
  if (!silent && found.end > 0) {
    const token = state.push("math", "", 0);
    token.content = found.source;
    token.info = found.display ? "display" : "";
  }
  // What is not closed yet is held back.
  if (found.end < 0 && (silent || state.posMax !== state.src.length)) return false;
  state.pos = found.end < 0 ? state.posMax : found.end;
  return true;
}

/**
 * @param {string} text
 * @param {number} at
 * @param {number} max
 * @param {boolean} open
 * @returns {{source: string, end: number, display: boolean} | null} end is -1 for what may still be closed
 */
function spanAt(text, at, max, open) {
  const marks = marksAt(text, at);
  if (!marks) return null;
  const [left, right] = marks;
  const from = at + left.length;
  const limit = Math.min(max, from + SPAN_LIMIT);
  for (let end = text.indexOf(right, from); end >= 0 && end < limit; end = text.indexOf(right, end + 1)) {
    if (end + right.length > max) break;
    if (text[end - 1] === "\\" && right.startsWith("$")) continue;
    // "$5 and $6, but $x$": a dollar that closes nothing ends what the one before it began.
    if (left === "$" && !closes(text, end)) return null;
    if (end === from) continue;
    return {
      source: text.slice(from, end),
      end: end + right.length,
      display: left === "$$" || left === "\\[",
    };
  }
  const waits = open && max - from < SPAN_LIMIT && (left !== "$" || !/\d/.test(text[from] ?? ""));
  return waits ? { source: "", end: -1, display: false } : null;
}

/** @param {string} text @param {number} at @returns {[string, string] | null} */
function marksAt(text, at) {
  const pair = text.slice(at, at + 2);
  if (pair === "\\(" && text[at - 1] !== "\\") return ["\\(", "\\)"];
  if (pair === "\\[" && text[at - 1] !== "\\") return ["\\[", "\\]"];
  if (text[at] !== "$" || WORD.test(text[at - 1] ?? "")) return null;
  if (pair === "$$") return text[at + 2] === "$" ? null : ["$$", "$$"];
  return at + 1 < text.length && BLANK.test(text[at + 1] ?? "") ? null : ["$", "$"];
}

/** @param {string} text @param {number} at of a dollar */
function closes(text, at) {
  return !BLANK.test(text[at - 1] ?? "") && !WORD.test(text[at + 1] ?? "");
}

/**
 * @param {StateBlock} state
 * @param {number} start
 * @param {number} end
 * @param {boolean} silent
 */
function mathBlock(state, start, end, silent) {
  if (indentOf(state, start) >= 4) return false;
  const first = lineOf(state, start);
  const left = first.slice(0, 2);
  if (left !== "$$" && left !== "\\[") return false;
  const right = left === "$$" ? "$$" : "\\]";
  const found = blockFrom(state, start, end, first.slice(2), right);
  if (!found) return false;
  if (silent) return true;
  const token = state.push("math_block", "", 0);
  token.content = found.source;
  token.map = [start, found.line];
  token.hidden = found.pending;
  state.line = found.line;
  return true;
}

/**
 * @param {StateBlock} state
 * @param {number} start
 * @param {number} end
 * @param {string} first
 * @param {string} right
 * @returns {{source: string, line: number, pending: boolean} | null}
 */
function blockFrom(state, start, end, first, right) {
  let source = "";
  let length = 0;
  for (let line = start; line < end; line++) {
    const text = line === start ? first : lineOf(state, line);
    const outside = line > start && (state.isEmpty(line) || indentOf(state, line) < 0);
    if (outside || length > BLOCK_LIMIT) return null;
    const at = text.indexOf(right);
    if (at >= 0) {
      // Text behind it makes it a span of a paragraph.
      if (text.slice(at + right.length).trim()) return null;
      return { source: `${source}${text.slice(0, at)}`.trim(), line: line + 1, pending: false };
    }
    source += `${text}\n`;
    length += text.length + 1;
  }
  return isOpen(state) && endsSource(state, end - 1)
    ? { source: source.trim(), line: end, pending: true }
    : null;
}

/** @param {StateBlock} state @param {number} line */
function indentOf(state, line) {
  return (state.sCount[line] ?? 0) - state.blkIndent;
}

/** @param {StateBlock} state @param {number} line */
function lineOf(state, line) {
  return state.src.slice((state.bMarks[line] ?? 0) + (state.tShift[line] ?? 0), state.eMarks[line]).trimEnd();
}
