/** Percentiles of very many durations in little memory. Pure. */

/** Neighbouring bins differ by this factor, so that a percentile is true to 1 %. */
const RATIO = 1.02;
const LEAST_MS = 0.01;

/** Durations in bins of equal ratio: its size depends on their range, not on their number. */
export class Histogram {
  count = 0;
  /** @type {Map<number, number>} how many durations each bin has */
  #bins = new Map();

  /** @param {number} ms 0 or more */
  add(ms) {
    const bin = ms < LEAST_MS ? -1 : Math.round(Math.log(ms / LEAST_MS) / Math.log(RATIO));
    this.#bins.set(bin, (this.#bins.get(bin) ?? 0) + 1);
    this.count += 1;
  }

  /**
   * A percentile, linear between the two durations that are nearest, as in measure/metrics.py.
   *
   * @param {number} share between 0 and 1
   * @returns {number | null} ms, null without any
   */
  percentile(share) {
    if (this.count === 0) return null;
    const place = share * (this.count - 1);
    const below = this.#at(Math.floor(place));
    const above = this.#at(Math.ceil(place));
    return below + (place - Math.floor(place)) * (above - below);
  }

  /** @param {number} rank of a duration among all, from 0 @returns {number} ms */
  #at(rank) {
    let seen = 0;
    for (const bin of [...this.#bins.keys()].sort((one, other) => one - other)) {
      seen += this.#bins.get(bin) ?? 0;
      if (seen > rank) return bin < 0 ? 0 : LEAST_MS * RATIO ** bin;
    }
    return Number.NaN;
  }
}
