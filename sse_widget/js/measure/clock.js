/** How far a server's clock is from ours, from questions that it answered. Twin of measure/clock.py. Pure. */

/** Ns of ms, the page's unit. @param {number} ms */
export function nsOf(ms) {
  return Math.round(1e6 * ms);
}

/**
 * Estimates the offset of a server's clock as NTP does (RFC 5905, section 8); all times are whole nanoseconds. From
 * 2^53 on, which is 104 days, a number holds only every second one, and from 2^54 on every fourth: nothing beside a
 * round trip.
 *
 * Of an exchange that left at t0 and came back at t3 of our clock, was received at t1 and answered at t2 of the
 * server's: offset ((t1 - t0) + (t2 - t3)) / 2, rounded down, and round trip (t3 - t0) - (t2 - t1). The offset is wrong
 * by half the round trip at most, when all of it was spent on one way: that half, rounded up, is the error. The exchange
 * with the least round trip counts, the first of equal ones.
 */
export class Clock {
  /** What to add to a time of our clock for that of the server's. @type {number | null} */
  offsetNs = null;
  #roundTripNs = 0;

  /** By how much the offset may be wrong, null before the first exchange. @returns {number | null} */
  get errorNs() {
    return this.offsetNs === null ? null : Math.ceil(this.#roundTripNs / 2);
  }

  /**
   * Takes an exchange in. One that cannot be is ignored: back before it left, or sooner than it was answered.
   *
   * @param {number} t0Ns
   * @param {number} t1Ns
   * @param {number} t2Ns
   * @param {number} t3Ns
   */
  add(t0Ns, t1Ns, t2Ns, t3Ns) {
    const roundTripNs = t3Ns - t0Ns - (t2Ns - t1Ns);
    if (t3Ns < t0Ns || t2Ns < t1Ns || roundTripNs < 0) return;
    if (this.offsetNs !== null && roundTripNs >= this.#roundTripNs) return;
    const there = t1Ns - t0Ns;
    const back = t2Ns - t3Ns;
    // The sum of both may be beyond what a number holds exactly; their difference is no longer than the round trip.
    this.offsetNs = there + Math.floor((back - there) / 2);
    this.#roundTripNs = roundTripNs;
  }
}
