/** Definitions of links, and the texts that were final before one came for them. */
import { parseSpans } from "./grammar.js";
import { spansOf } from "./spans.js";

/** @typedef {import("./pieces.js").Piece} Piece */
/** @typedef {Record<string, {href: string, title: string}>} Known */

const LABEL = /\[((?:[^[\]\\]|\\.)+)\]/gs;

export class References {
  /** @type {Known} by label, as markdown-it normalises it */
  known = Object.create(null);
  /** @type {Map<string, Set<Piece>>} */
  #waiting = new Map();
  /** @type {string[]} those that have become known since the last `revise` */
  #news = [];

  /** @param {string} label @param {Known} found what a parse has found; of two definitions the first counts */
  define(label, found) {
    const reference = found[label];
    if (!reference || this.known[label]) return;
    this.known[label] = reference;
    this.#news.push(label);
  }

  /** A piece is final. @param {Piece} piece */
  wait(piece) {
    for (const [, label = ""] of piece.source.matchAll(LABEL)) {
      const name = label.trim().replace(/\s+/g, " ").toLowerCase().toUpperCase();
      const pieces = this.#waiting.get(name) ?? new Set();
      this.#waiting.set(name, pieces.add(piece));
    }
    for (const child of piece.children) this.wait(child);
  }

  /**
   * Gives the pieces that waited for a definition the children that they have with it.
   *
   * @param {Known} [found] what a parse has found, where nothing more can change it
   * @returns {Piece[]} those that have changed
   */
  revise(found = {}) {
    const labels = [...this.#news, ...Object.keys(found)];
    const known = Object.assign(Object.create(this.known), found);
    this.#news = [];
    const pieces = new Set(labels.flatMap((label) => [...(this.#waiting.get(label) ?? [])]));
    for (const piece of pieces) {
      piece.children = spansOf(parseSpans(piece.source, { references: known, open: false }));
      piece.done = 0;
    }
    return [...pieces];
  }
}
