/**
 * The grammar: markdown-it without HTML, with math and bare links, and with rules for text that is not finished.
 *
 * The only module that imports markdown-it. Blocks and spans are parsed apart from each other, since of a long
 * answer only the open end is parsed again. Nothing here makes HTML: the result is tokens.
 */
import MarkdownIt from "markdown-it";
import { addBareLinks, isAllowed } from "./links.js";
import { addMath } from "./math.js";
import { addRepairs, unmatchedOpeners } from "./repair.js";

/** @typedef {import("markdown-it").Token} Token */
/** @typedef {import("markdown-it").StateBlock} StateBlock */
/**
 * What a parse knows besides the text.
 *
 * @typedef {object} Env
 * @property {Record<string, {href: string, title: string}>} references
 * @property {boolean} open whether more text may follow: what is unfinished is then taken for what it most likely becomes
 * @property {boolean} [unmatched] after a parse of spans: whether a mark was left that later text could pair with
 */

/** A line that stands for what is final already: the first child of a container that is opened again. */
export const STOOD = "\0";

const md = new MarkdownIt({ html: false });
md.disable(["html_block", "html_inline", "linkify"]);
md.validateLink = isAllowed;
md.block.ruler.before("table", "stood", stood);
const tokenize = md.block.tokenize.bind(md.block);
md.block.tokenize = tokenizeNoted;
addMath(md);
addBareLinks(md);
addRepairs(md);

/**
 * @param {string} text lines that end in "\n"; no "\r", and "\0" only in STOOD
 * @param {Env} env gets the references that the text defines
 * @returns {Token[]} flat; `meta` has what `tokenizeNoted` says
 */
export function parseBlocks(text, env) {
  /** @type {Token[]} */
  const tokens = [];
  md.block.parse(text, md, env, tokens);
  return tokens;
}

/**
 * @param {string} text
 * @param {Env} env
 * @returns {Token[]}
 */
export function parseSpans(text, env) {
  /** @type {Token[]} */
  const tokens = [];
  md.inline.parse(text, md, env, tokens);
  return tokens;
}

/**
 * Whether a text leaves marks of emphasis that later text could close.
 *
 * @param {string} text
 * @param {Env} env
 * @returns {{tokens: Token[], unmatched: boolean}}
 */
export function parseProbed(text, env) {
  const probe = { ...env, open: false, unmatched: false };
  const tokens = parseSpans(text, probe);
  return { tokens, unmatched: probe.unmatched };
}

/** @param {string} text of a fence's info, with escapes */
export function unescaped(text) {
  return md.utils.unescapeAll(text).trim();
}

/**
 * @param {StateBlock} state
 * @param {number} line
 * @param {number} _end
 * @param {boolean} silent
 */
function stood(state, line, _end, silent) {
  const at = (state.bMarks[line] ?? 0) + (state.tShift[line] ?? 0);
  if (state.src[at] !== STOOD || at + 1 !== state.eMarks[line]) return false;
  if (silent) return true;
  const token = state.push("stood", "", 0);
  token.map = [line, line + 1];
  state.line = line + 1;
  return true;
}

/**
 * Tokenizes the children of a container and notes on the tokens what the parser alone knows at that time:
 * of a container its `indent`, and whether an item `emptyEnd`s; of a child its `column`, and whether a
 * `blank` line came before.
 *
 * @param {StateBlock} state
 * @param {number} start
 * @param {number} end
 */
function tokenizeNoted(state, start, end) {
  const from = state.tokens.length;
  const owner = state.tokens[from - 1];
  tokenize(state, start, end);
  if (owner && state.level > 0) {
    const emptyEnd = state.line - start > 1 && state.isEmpty(state.line - 1);
    owner.meta = { indent: state.blkIndent, emptyEnd };
  }
  let first = true;
  for (let i = from; i < state.tokens.length; i++) {
    const token = /** @type {Token} */ (state.tokens[i]);
    if (token.level !== state.level || token.nesting < 0 || !token.map) continue;
    const [line] = token.map;
    token.meta = { ...token.meta, column: state.sCount[line], blank: !first && state.isEmpty(line - 1) };
    first = false;
  }
}

md.inline.ruler2.before("balance_pairs", "unmatched", (state) => {
  const env = /** @type {Env} */ (/** @type {unknown} */ (state.env));
  if (env.unmatched === undefined) return;
  env.unmatched = unmatchedOpeners(state).length > 0;
});
