/** First in, first out: what Python's deque is to the twin of this folder. */

const COMPACT_AT = 1024;

/**
 * A queue on an array whose used front is cut off now and then, so that every operation costs O(1) amortised.
 *
 * @template T
 */
export class Queue {
  /** @type {T[]} */
  #items = [];
  #head = 0;

  get length() {
    return this.#items.length - this.#head;
  }

  /**
   * The item at a place from the front; `at < length`.
   *
   * @param {number} at
   * @returns {T}
   */
  at(at) {
    return /** @type {T} */ (this.#items[this.#head + at]);
  }

  /** @returns {T} the newest item of a queue that is not empty */
  last() {
    return /** @type {T} */ (this.#items[this.#items.length - 1]);
  }

  /** @param {T} item */
  push(item) {
    this.#items.push(item);
  }

  /** @param {T} item takes the place of the newest */
  replaceLast(item) {
    this.#items[this.#items.length - 1] = item;
  }

  /** @returns {T} the oldest item, removed; the queue must not be empty */
  shift() {
    const item = this.at(0);
    this.#head += 1;
    if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** @returns {T[]} all items, removed */
  drain() {
    const items = this.#items.slice(this.#head);
    this.#items = [];
    this.#head = 0;
    return items;
  }
}
