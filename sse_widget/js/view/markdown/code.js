/** Code: its lines are added as they come, coloured when the part for that is there. */
import { element } from "../element.js";
import { copyText } from "./copy.js";

/** @typedef {import("../../markdown/pieces.js").Piece} Piece */
/** @typedef {import("./view.js").Setting} Setting */
/** @typedef {import("../../parts/code.js").Highlighter} Highlighter */

/** Lines in one box: the browser lays out again only the box that grows. */
const BOX_LINES = 24;
/** A line is put into chunks of so many UTF-16 units, since a chunk that changes is shaped anew. */
const CHUNK = 1024;
/** Text that is not final is not coloured if it is longer. */
const LONG_OPEN = 2000;

export class Code {
  /** @type {[]} */
  children = [];
  #setting;
  #body = element("code");
  #box = newBox();
  #boxLines = 0;
  /** Columns of the longest line in the box. */
  #columns = 0;
  /** What of the text is final. */
  #final = "";
  #open = "";
  /** @type {Highlighter | null} */
  #highlighter = null;
  #openLine = element("span");

  /** @param {Piece} node @param {Setting} setting */
  constructor({ info }, setting) {
    this.#setting = setting;
    const { words } = setting;
    const copy = element("button", { type: "button", className: "ssew-copy" }, words.copy);
    copy.addEventListener("click", () => copyText(this.#final + this.#open, copy, words));
    const label = element("figcaption", {}, element("span", {}, info || words.code), copy);
    const values = { tabIndex: 0, role: "region", "aria-label": info ? words.codeIn(info) : words.code };
    this.#body.append(this.#box);
    this.element = element(
      "figure",
      { className: "ssew-code", dir: "ltr" },
      label,
      element("pre", values, this.#body),
    );
    if (info) this.#colour(info);
  }

  /** @param {Piece} node */
  takes({ kind }) {
    return kind === "code";
  }

  /** @param {Piece} node */
  show({ final, text }) {
    if (final) {
      this.#openLine.remove();
      this.#open = "";
      this.#openLine.replaceChildren();
      this.#final += final;
      for (const line of final.slice(0, -1).split("\n")) this.#addLine(line);
    }
    if (text !== this.#open) this.#showOpen(text);
  }

  /** @param {string} line */
  #addLine(line) {
    if (this.#boxLines === BOX_LINES) this.#addBox();
    this.#boxLines++;
    this.#columns = Math.max(this.#columns, columnsOf(line));
    this.#box.append(...this.#chunks(line, this.#highlighter?.line(line)), "\n");
  }

  /** A full box is as wide as its longest line, also while it is out of sight and not laid out. */
  #addBox() {
    this.#box.style.containIntrinsicInlineSize = `${this.#columns}ch`;
    this.#box = newBox();
    this.#boxLines = 0;
    this.#columns = 0;
    this.#body.append(this.#box);
  }

  /** @param {string} text */
  #showOpen(text) {
    const grown = text.startsWith(this.#open) ? text.slice(this.#open.length) : null;
    const plain = !this.#highlighter || text.length > LONG_OPEN;
    if (!this.#openLine.isConnected) this.#box.append(this.#openLine);
    if (!plain) this.#openLine.replaceChildren(...this.#chunks(text, this.#highlighter?.peek(text)));
    else if (grown === null) this.#openLine.replaceChildren(...this.#chunks(text));
    else this.#grow(grown);
    this.#open = text;
  }

  /** @param {string} text */
  #grow(text) {
    const last = this.#openLine.lastChild;
    if (last instanceof Text && last.length + text.length < CHUNK) last.appendData(text);
    else this.#openLine.append(...this.#chunks(text));
  }

  /** @param {string} line @param {[string, string][]} [tokens] @returns {(Node | string)[]} */
  #chunks(line, tokens = [[line, ""]]) {
    return tokens.flatMap(([text, name]) => {
      /** @type {(Node | string)[]} */
      const chunks = name ? [element("span", { className: name }, text)] : (text.match(CHUNKS) ?? []);
      return chunks;
    });
  }

  /** @param {string} language */
  async #colour(language) {
    /** @type {typeof import("../../parts/code.js") | null | undefined} */
    const part = await this.#setting.parts?.get("code");
    const highlighter = part?.highlighterFor(language);
    if (!highlighter) return;
    this.#highlighter = highlighter;
    const open = this.#open;
    const lines = this.#final.split("\n").slice(0, -1);
    this.#box = newBox();
    this.#body.replaceChildren(this.#box);
    this.#boxLines = 0;
    this.#columns = 0;
    for (const line of lines) this.#addLine(line);
    this.#open = "";
    this.#openLine.replaceChildren();
    if (open) this.#showOpen(open);
  }
}

const CHUNKS = new RegExp(`.{1,${CHUNK}}`, "gs");

/** Where each letter is of two columns: CJK, Hangul, kana, full-width forms, emoji (Unicode UAX 11). */
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/g;
const TAB = 4;

/** @param {string} line */
function columnsOf(line) {
  const tabs = line.split("\t").length - 1;
  return line.length + tabs * (TAB - 1) + (line.match(WIDE)?.length ?? 0);
}

function newBox() {
  return element("span", { className: "ssew-lines" });
}
