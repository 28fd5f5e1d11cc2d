/** Which links there are: http, https and mailto, by a mark or bare; every other one stays the text that it is. */

import { isOpen } from "./open.js";

/** @typedef {import("markdown-it").StateInline} StateInline */

// An address has a host, and no user before it: `https://bank.example@evil.example` names the second.
const WEB = /^https?:\/\/[^\s/\\?#@]+(?:[/?#][^\s\\]*)?$/i;
const MAIL = /^mailto:[^\s\\]+$/i;
// Controls, and the marks that turn the direction of text around (Unicode TR 36).
const HIDDEN = /[\0-\x20\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/u;

/** @param {string} url as markdown-it has normalised it */
export function isAllowed(url) {
  return !HIDDEN.test(url) && (WEB.test(url) || MAIL.test(url));
}

/** @param {string} url @returns {string} the host that an address names, "" if it is none of the web */
export function hostOf(url) {
  return WEB.test(url) && !HIDDEN.test(url)
    ? (/^https?:\/\/([^/?#]+)/i.exec(url)?.[1] ?? "").toLowerCase()
    : "";
}

const SCHEME = /(?:^|[^\p{L}\p{N}_])(https?)$/iu;
const REST = /:\/\/[^\s<>\u0060\p{Pi}\p{Pf}،؛؟۔。，、；：？！「」『』（）【】]+/uy;
const TRAILING = /[?!.,:;*_~'"|\]]+$/;

/**
 * The end of a bare address, as GitHub finds it (GFM, 6.9): marks that end a sentence are no part of it, nor is a
 * bracket that was opened before it.
 *
 * @param {string} url
 */
function trimmed(url) {
  let rest = url;
  for (;;) {
    const shorter = rest.replace(TRAILING, "");
    const open = shorter.split("(").length;
    const closed = shorter.split(")").length;
    rest = shorter.endsWith(")") && closed > open ? shorter.slice(0, -1) : shorter;
    if (rest === shorter) return rest;
  }
}

/** @param {import("markdown-it").MarkdownIt} md */
export function addBareLinks(md) {
  md.inline.ruler.after("text", "bare_link", bareLink);
}

/** @param {StateInline} state @param {boolean} silent */
function bareLink(state, silent) {
  if (state.src[state.pos] !== ":" || state.linkLevel > 0) return false;
  const scheme = SCHEME.exec(state.src.slice(Math.max(0, state.pos - 6), state.pos))?.[1];
  if (!scheme || (!silent && !state.pending.endsWith(scheme))) return false;
  REST.lastIndex = state.pos;
  const rest = REST.exec(state.src.slice(0, state.posMax))?.[0];
  const tail = trimmed(rest ?? "");
  if (tail.length <= 3) return false;
  const href = state.md.normalizeLink(scheme + tail);
  if (!isAllowed(href)) return false;
  if (!silent) {
    state.pending = state.pending.slice(0, -scheme.length);
    const open = state.push("link_open", "a", 1);
    const growing = isOpen(state) && state.pos + (rest ?? "").length === state.src.length;
    open.attrs = growing ? [] : [["href", href]];
    state.push("text", "", 0).content = scheme + tail;
    state.push("link_close", "a", -1);
  }
  state.pos += tail.length;
  return true;
}
