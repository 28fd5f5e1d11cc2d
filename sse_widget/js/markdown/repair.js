/**
 * Rules for the open end of a text: a mark that waits for its other half is taken for what it most likely
 * becomes, or held back, so that nothing on show changes its kind when the rest comes. They act with
 * `env.open` alone; a whole text is read as markdown-it reads it.
 */
import { isOpen } from "./open.js";

/** @typedef {import("markdown-it").StateInline} StateInline */
/** @typedef {import("markdown-it").StateBlock} StateBlock */
/** @typedef {import("markdown-it").Delimiter} Delimiter */

/** How long a bracket may wait for its end, UTF-16 units. */
const LABEL_LIMIT = 120;
const ADDRESS_LIMIT = 2000;

/** @type {((state: StateInline) => void) | undefined} */
let balance;
/** @type {import("markdown-it").MarkdownIt["helpers"]} */
let helpers;

/** @param {import("markdown-it").MarkdownIt} md */
export function addRepairs(md) {
  balance = md.inline.ruler2.getRules("")[0];
  helpers = md.helpers;
  md.inline.ruler.before("backticks", "open_code", openCode);
  md.inline.ruler.before("link", "open_link", openLink);
  md.inline.ruler2.before("balance_pairs", "open_emphasis", closeEmphasis);
  md.block.ruler.before("table", "open_table", openTable, { alt: [] });
}

/** @param {StateInline} state @param {boolean} silent */
function isEnd(state, silent) {
  return isOpen(state) && !silent && state.posMax === state.src.length;
}

/** @param {StateInline} state @param {boolean} silent */
function openCode(state, silent) {
  const { src, pos } = state;
  if (src[pos] !== "`" || !isEnd(state, silent)) return false;
  const mark = /** @type {RegExpExecArray} */ (/^`+/.exec(src.slice(pos)))[0];
  const rest = src.slice(pos + mark.length);
  if (!rest || new RegExp(`(?<!\`)${mark}(?!\`)`).test(rest)) return false;
  const token = state.push("code_inline", "code", 0);
  // The mark that closes it may be half there.
  token.content = rest
    .replace(/`+$/, "")
    .replaceAll("\n", " ")
    .replace(/^ (?=.*[^ ])/, "");
  state.pos = state.posMax;
  return true;
}

/** @param {StateInline} state @param {boolean} silent */
function openLink(state, silent) {
  const { src, pos } = state;
  const image = src[pos] === "!" && src[pos + 1] === "[";
  if ((src[pos] !== "[" && !image) || !isEnd(state, silent)) return false;
  const bracket = image ? pos + 1 : pos;
  const end = state.md.helpers.parseLinkLabel(state, bracket, !image);
  const left = state.posMax - pos;
  // The rest is held back until the label ends, and until it is known whether an address follows.
  const held = end < 0 ? left < LABEL_LIMIT && !src.includes("]", bracket) : end + 1 >= state.posMax;
  if (held) {
    state.pos = state.posMax;
    return true;
  }
  if (end < 0 || src[end + 1] !== "(" || left > ADDRESS_LIMIT || !isAddressOpen(src.slice(end + 2)))
    return false;
  if (!image) pushLink(state, bracket + 1, end);
  state.pos = state.posMax;
  return true;
}

/** @param {StateInline} state @param {number} from @param {number} to of the label */
function pushLink(state, from, to) {
  const max = state.posMax;
  state.push("link_open", "a", 1).attrs = [];
  state.pos = from;
  state.posMax = to;
  state.linkLevel++;
  state.md.inline.tokenize(state);
  state.linkLevel--;
  state.posMax = max;
  state.push("link_close", "a", -1);
}

/**
 * Whether a text ends inside the address or the title of a link, which its next part may close.
 *
 * @param {string} text what follows `](`
 */
function isAddressOpen(text) {
  const from = text.search(/\S|$/);
  if (from === text.length) return true;
  const address = helpers.parseLinkDestination(text, from, text.length);
  if (!address.ok) return text[from] === "<" ? !text.includes("\n", from) : !/\s/.test(text.slice(from));
  const rest = text.slice(address.pos);
  const title = rest.trimStart();
  if (!title) return true;
  if (title === rest || !/^["'(]/.test(title)) return false;
  const read = helpers.parseLinkTitle(title, 0, title.length);
  return !read.ok || !title.slice(read.pos).trim();
}

/** Whether the address of a link begins in a text and may end behind it. @param {string} text */
export function addressMayFollow(text) {
  for (let at = text.indexOf("]("); at >= 0; at = text.indexOf("](", at + 1)) {
    if (isAddressOpen(text.slice(at + 2))) return true;
  }
  return false;
}

/**
 * The delimiters that would open emphasis, were it closed, by the parser's own rule.
 *
 * @param {StateInline} state is not changed
 * @returns {Delimiter[]}
 */
export function unmatchedOpeners(state) {
  const unmatched = [];
  for (const delimiters of [state.delimiters, ...state.tokens_meta.map((meta) => meta?.delimiters ?? [])]) {
    const copies = delimiters.map((delimiter) => ({ ...delimiter }));
    balance?.(/** @type {StateInline} */ (/** @type {unknown} */ ({ delimiters: copies, tokens_meta: [] })));
    unmatched.push(...delimiters.filter((_, i) => copies[i]?.open && copies[i].end < 0));
  }
  return unmatched;
}

/** Closes what is open, in reverse order. @param {StateInline} state */
function closeEmphasis(state) {
  if (!isOpen(state)) return;
  for (const opener of unmatchedOpeners(state).reverse()) {
    // Inside a word a star is more often a sign. What is inside a link is closed with it.
    if (opener.close || !state.delimiters.includes(opener)) continue;
    const token = state.push("text", "", 0);
    token.content = state.tokens[opener.token]?.content ?? "";
    state.delimiters.push({
      marker: opener.marker,
      length: opener.length ?? 0,
      token: state.tokens.length - 1,
      end: -1,
      open: false,
      close: true,
    });
  }
}

/** @param {StateBlock} state @param {number} line */
export function endsSource(state, line) {
  return (state.eMarks[line] ?? 0) + 1 >= state.src.length;
}

/**
 * The head of a table whose second line has not come: it begins with a bar, and is the last line.
 *
 * @param {StateBlock} state
 * @param {number} start
 * @param {number} end
 * @param {boolean} silent
 */
function openTable(state, start, end, silent) {
  if (silent || !isOpen(state) || start + 1 < end || !endsSource(state, start)) return false;
  if ((state.sCount[start] ?? 0) - state.blkIndent >= 4) return false;
  const line = state.src
    .slice((state.bMarks[start] ?? 0) + (state.tShift[start] ?? 0), state.eMarks[start])
    .trim();
  // A line that stands for a paragraph's final text has a "\0".
  if (!line.startsWith("|") || line.length < 2 || line.includes("\0")) return false;
  const cells = line
    .slice(1)
    .replace(/(?<!\\)\|$/, "")
    .split(/(?<!\\)\|/);
  state.push("table_open", "table", 1).map = [start, start + 1];
  state.push("thead_open", "thead", 1);
  state.push("tr_open", "tr", 1).map = [start, start + 1];
  for (const cell of cells) {
    state.push("th_open", "th", 1);
    state.push("inline", "", 0).content = cell.trim().replaceAll("\\|", "|");
    state.push("th_close", "th", -1);
  }
  state.push("tr_close", "tr", -1);
  state.push("thead_close", "thead", -1);
  state.push("table_close", "table", -1);
  state.line = start + 1;
  return true;
}
