/**
 * Randomness that is the same in both languages: xoshiro128** on 32-bit words. Twin of protocol/chance.py, which names
 * the sources.
 */

/** Seeds and streams are whole numbers below this. */
export const SEEDS = 2 ** 32;

const GOLDEN = 0x9e3779b9;

/** @typedef {[number, number, number, number]} Words */

/** A stream of random numbers: the same seed and stream give the same numbers everywhere. */
export class Chance {
  /** @type {Words} */
  #words;

  /** @param {number} seed @param {number} [stream] */
  constructor(seed, stream = 0) {
    const mixed = mix(mix(seed + GOLDEN) ^ stream);
    const made = (/** @type {number} */ turn) => mix(mixed + Math.imul(turn, GOLDEN));
    this.#words = [made(1), made(2), made(3), made(4)];
  }

  /**
   * Returns the generator in a state of its own, four words that are not all zero.
   *
   * @param {Words} words
   */
  static ofWords(words) {
    const chance = new Chance(0);
    chance.#words = words;
    return chance;
  }

  /** Returns the next 32 bits. */
  word() {
    const [a, b, c, d] = this.#words;
    const mixedC = c ^ a;
    const mixedD = d ^ b;
    this.#words = [a ^ mixedD, b ^ mixedC, mixedC ^ (b << 9), turned(mixedD, 11)];
    return Math.imul(turned(Math.imul(b, 5), 7), 9) >>> 0;
  }

  /**
   * Returns a whole number from 0 to `bound` - 1, each as likely; `bound` is at most 2 ** 32.
   *
   * @param {number} bound
   */
  below(bound) {
    const usable = SEEDS - (SEEDS % bound);
    let word = this.word();
    while (word >= usable) word = this.word();
    return word % bound;
  }

  /** Returns a number in [0, 1), in steps of 2 ** -32. */
  unit() {
    return this.word() / SEEDS;
  }
}

/**
 * Returns the word after MurmurHash3's 32-bit finalizer, a bijection.
 *
 * @param {number} word
 */
export function mix(word) {
  const first = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  const second = Math.imul(first ^ (first >>> 13), 0xc2b2ae35);
  return (second ^ (second >>> 16)) >>> 0;
}

/** @param {number} word @param {number} by */
function turned(word, by) {
  return (word << by) | (word >>> (32 - by));
}
