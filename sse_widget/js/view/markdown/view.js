/** Markdown into the DOM while it is written. What is final is never touched again. */
import { MarkdownDocument } from "../../markdown/document.js";
import { wordsIn } from "../words.js";
import { Branch } from "./branch.js";
import { shownFor } from "./shown.js";

/** @typedef {import("../../parts.js").Parts} Parts */
/**
 * What the elements of an answer share.
 *
 * @typedef {object} Setting
 * @property {Document} document
 * @property {import("../words.js").Words} words
 * @property {Pick<Parts, "get"> | null} parts
 * @property {WeakMap<import("../../markdown/pieces.js").Piece, Branch>} waiting what shows texts that may be revised
 * @property {(node: import("../../markdown/pieces.js").Piece, setting: Setting, text?: Text) => import("./branch.js").Shown} make
 */

/** Two renders in one frame show nothing that one would not. */
const LEAST_GAP_MS = 8;
const HIDDEN_MS = 50;

/** TextView's twin: the same calls, and `finish()` when no more text comes. */
export class MarkdownView {
  #element;
  #setting;
  #leastGapMs;
  /** @type {MarkdownDocument} */
  #source = new MarkdownDocument();
  /** @type {Branch} */
  #root;
  #text = "";
  #finished = false;
  #renderedMs = Number.NEGATIVE_INFINITY;
  /** @type {(() => void) | null} ends the wait for the next render */
  #cancel = null;

  /**
   * @param {HTMLElement} element becomes the view's own; what is in it goes
   * @param {{lang?: string, parts?: Pick<Parts, "get"> | null, leastGapMs?: number}} [options] without parts, code and
   *   math stay plain; text that comes within the gap after a render waits for the next frame
   */
  constructor(element, { lang = "", parts = null, leastGapMs = LEAST_GAP_MS } = {}) {
    const document = element.ownerDocument;
    this.#element = element;
    this.#leastGapMs = leastGapMs;
    this.#setting = {
      document,
      parts,
      make: shownFor,
      waiting: new WeakMap(),
      words: wordsIn(lang || document.documentElement.lang).words,
    };
    element.classList.add("ssew-text", "ssew-markdown");
    element.replaceChildren();
    this.#root = new Branch(this.#source.root, this.#setting, element);
  }

  /** All text that was appended. */
  get text() {
    return this.#text;
  }

  /** Whether text waits for the next frame. */
  get waiting() {
    return this.#cancel !== null;
  }

  /** @param {string} text */
  append(text) {
    if (!text) return;
    this.#text += text;
    this.#finished = false;
    this.#source.append(text);
    if (this.#now - this.#renderedMs >= this.#leastGapMs) this.#render();
    else this.#cancel ??= this.#later();
  }

  /** Shows what was held back because its end was missing. */
  finish() {
    if (this.#finished) return;
    this.#finished = true;
    this.#stopWaiting();
    this.#show(this.#source.finish());
  }

  /** Removes all text. */
  clear() {
    this.#stopWaiting();
    this.#text = "";
    this.#source = new MarkdownDocument();
    this.#element.replaceChildren();
    this.#root = new Branch(this.#source.root, this.#setting, this.#element);
  }

  get #now() {
    return performance.now();
  }

  #render() {
    this.#stopWaiting();
    this.#show(this.#source.read());
    this.#renderedMs = this.#now;
  }

  /** @param {import("../../markdown/pieces.js").Piece} root */
  #show(root) {
    this.#root.show(root);
    for (const piece of this.#source.revised) this.#setting.waiting.get(piece)?.renew(piece);
  }

  #stopWaiting() {
    this.#cancel?.();
    this.#cancel = null;
  }

  /** Renders in the next frame, or soon where there are no frames. @returns {() => void} */
  #later() {
    const frame = requestAnimationFrame(() => this.#render());
    const timer = setTimeout(() => this.#render(), HIDDEN_MS);
    return () => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
    };
  }
}
