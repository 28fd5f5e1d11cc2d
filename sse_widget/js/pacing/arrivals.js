/**
 * When the next delta is likely to come. Pure: times are milliseconds of any steady clock; the twin of
 * pacing/arrivals.py.
 */

/** Shorter differences are not seen: deltas less than this apart are one burst. */
export const FRAME_MS = 16;

const GAP_WEIGHT = 0.25;

/** An exponential moving average of the gaps between bursts of deltas. */
export class Arrivals {
  /** @type {number | null} */
  #burstMs = null;
  /** @type {number | null} */
  #gapMs = null;

  /** The time at which the next burst is expected; that of the last one while no gap is known. */
  get nextMs() {
    return (this.#burstMs ?? 0) + (this.#gapMs ?? 0);
  }

  /**
   * Takes the arrival of a delta. A gap counts as `longestMs` at most: stalls are forgotten.
   *
   * @param {number} nowMs
   * @param {number} longestMs
   */
  note(nowMs, longestMs) {
    if (this.#burstMs === null) {
      this.#burstMs = nowMs;
      return;
    }
    if (nowMs - this.#burstMs < FRAME_MS) return;
    const gapMs = Math.min(nowMs - this.#burstMs, longestMs);
    this.#gapMs = this.#gapMs === null ? gapMs : this.#gapMs + (gapMs - this.#gapMs) * GAP_WEIGHT;
    this.#burstMs = nowMs;
  }
}
