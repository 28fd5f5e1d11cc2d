/** A total that only grows, over time, in bounded memory. Pure. */

/** @typedef {{atMs: number, total: number}} Point */

export const MOST_POINTS = 1024;

/**
 * Keeps when a total reached what, exactly at first. When there are too many points, those that lie closer together
 * than a step are joined, and the step grows with the time they span: the end stays exact, the past true to a step.
 */
export class Curve {
  /** @type {Point[]} */
  #points = [];
  #stepMs = 0;
  #limit;

  /** @param {number} [limit] points at most, an even number */
  constructor(limit = MOST_POINTS) {
    this.#limit = limit;
  }

  get length() {
    return this.#points.length;
  }

  /** What happened closer together than this may be one point. */
  get stepMs() {
    return this.#stepMs;
  }

  /** @returns {readonly Readonly<Point>[]} */
  get points() {
    return this.#points;
  }

  /** @returns {Readonly<Point> | undefined} */
  get last() {
    return this.#points.at(-1);
  }

  /** @param {number} atMs never goes back @param {number} total */
  add(atMs, total) {
    const before = this.#points.at(-2);
    const last = this.#points.at(-1);
    if (last && (last.atMs === atMs || (before && atMs - before.atMs < this.#stepMs))) {
      last.atMs = atMs;
      last.total = total;
      return;
    }
    this.#points.push({ atMs, total });
    if (this.#points.length > this.#limit) this.#thin();
  }

  /**
   * The totals at times in ascending order; 0 before the first point.
   *
   * @param {readonly number[]} timesMs
   */
  at(timesMs) {
    let next = 0;
    let total = 0;
    return timesMs.map((timeMs) => {
      for (let point = this.#points[next]; point && point.atMs <= timeMs; point = this.#points[++next]) {
        total = point.total;
      }
      return total;
    });
  }

  #thin() {
    const [first, last] = [this.#points[0], this.#points.at(-1)];
    if (!first || !last) return;
    // A step holds two points at most, so this leaves half of the room.
    this.#stepMs = (4 * (last.atMs - first.atMs)) / this.#limit;
    const kept = this.#points;
    this.#points = [];
    for (const { atMs, total } of kept) this.add(atMs, total);
  }
}
