/** Deltas that have come and do not stand in the page to their end. Pure. */

/** In the order in which they came; lengths are UTF-16 units. @template T what is known of a delta */
export class Waiting {
  /** @type {{item: T, begin: number, end: number}[]} */
  #deltas = [];
  #came = 0;
  #shown = 0;

  get length() {
    return this.#deltas.length;
  }

  /** The one that came first, undefined when none waits. @returns {T | undefined} */
  get oldest() {
    return this.#deltas[0]?.item;
  }

  /** @param {number} length of the text that came @param {T} item */
  add(length, item) {
    const begin = this.#came;
    this.#came += length;
    this.#deltas.push({ item, begin, end: this.#came });
  }

  /**
   * Text has newly appeared: those that it belongs to, and those that stand there whole by now.
   *
   * @param {number} length
   * @returns {{touched: T[], whole: T[]}}
   */
  show(length) {
    this.#shown = Math.min(this.#came, this.#shown + length);
    const touched = [];
    let whole = 0;
    for (const { item, begin, end } of this.#deltas) {
      if (begin >= this.#shown) break;
      touched.push(item);
      if (end <= this.#shown) whole += 1;
    }
    return { touched, whole: this.#deltas.splice(0, whole).map(({ item }) => item) };
  }

  /** Lets go of all. @returns {T[]} */
  drain() {
    return this.#deltas.splice(0).map(({ item }) => item);
  }
}
