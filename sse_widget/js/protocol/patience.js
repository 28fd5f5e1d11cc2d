/**
 * How long something was waited for, not counting time in which the page did not run: busy, asleep or frozen. What
 * came meanwhile is then still in front of it. No I/O; times are milliseconds of any steady clock.
 */

/** Whoever waits looks this often. */
export const TICK_MS = 250;
/** A look that is later than this after the one before is late: in between, the page did not run. */
const LATE_MS = 2 * TICK_MS;
/** So many late looks in a row are no busy page but a hidden one, which browsers wake once a second. */
const HABITUAL = 4;
const HIDDEN_MS = 1000;
/** And this near to a second: tasks of half a second in a row are a busy page still. */
const HIDDEN_LEAST_MS = 900;

/** The wait for one thing. `deadlineMs` is when to look. */
export class Patience {
  deadlineMs;
  #limitMs;
  #lookedMs;
  #waitedMs = 0;
  #late = 0;

  /** @param {number} nowMs @param {number} limitMs */
  constructor(nowMs, limitMs) {
    this.#limitMs = limitMs;
    this.#lookedMs = nowMs;
    this.deadlineMs = nowMs + TICK_MS;
  }

  /**
   * How long it was waited for.
   *
   * @param {number} nowMs
   */
  waitedMs(nowMs) {
    const sinceMs = nowMs - this.#lookedMs;
    return this.#waitedMs + (sinceMs > LATE_MS ? 0 : sinceMs);
  }

  /**
   * Looks at the time: whether it was waited for long enough. A late look never says so, since what has arrived may
   * come only after it.
   *
   * @param {number} nowMs
   */
  over(nowMs) {
    if (nowMs < this.deadlineMs) return false;
    const sinceMs = nowMs - this.#lookedMs;
    const late = sinceMs > LATE_MS;
    this.#late = sinceMs >= HIDDEN_LEAST_MS ? this.#late + 1 : 0;
    const hidden = this.#late >= HABITUAL;
    this.#waitedMs = hidden ? this.#waitedMs + HIDDEN_MS : this.waitedMs(nowMs);
    this.#lookedMs = nowMs;
    this.deadlineMs = nowMs + TICK_MS;
    return this.#waitedMs >= this.#limitMs && (!late || hidden);
  }
}
