/** How many characters a growing text has. Pure: the grapheme segmenter is an argument. */

/** Code points that one character may take here; what is longer is counted anew from there, so that work stays linear. */
const LONGEST = 64;
/** Each of these is one character whatever follows, but for a line end of two. */
const PLAIN = /^[\x20-\x7e]*$/;

/** Counts grapheme clusters (UAX 29) of text that comes in pieces, which may cut a cluster. */
export class Counter {
  chars = 0;
  #segment;
  #last = "";

  /** @param {(text: string) => string[]} segment */
  constructor(segment) {
    this.#segment = segment;
  }

  /** @param {string} text what follows what was added before; costs O(text.length) */
  add(text) {
    if (!text) return;
    if (PLAIN.test(text) && PLAIN.test(this.#last)) {
      this.chars += text.length;
      this.#last = text.slice(-1);
      return;
    }
    const clusters = this.#segment(this.#last + text);
    this.chars += clusters.length - (this.#last ? 1 : 0);
    this.#last = clusters.at(-1) ?? "";
    if (this.#last.length > LONGEST) this.#last = "";
  }
}
