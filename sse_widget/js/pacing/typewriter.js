/**
 * When received text is shown: a pace that punctuation slows and a lag cap hurries (design.md section 6).
 *
 * Showing a cluster takes time: a letter `baseDelayMs / charsPerStep`, punctuation `baseDelayMs` times its
 * multiplier. These times are weights, and they add up, so that the pace does not depend on how text was
 * cut into deltas. The pacer spends them at a speed:
 *
 * - 1 at most while there is slack, so that `baseDelayMs` is the fastest unhurried pace;
 * - below 1 when the source is slow, so that the backlog lasts until the next delta is expected;
 * - as high as the deadlines ask, `arrival + maxLagMs` for every delta. Needed is the largest, over the deltas
 *   that wait, of the time up to the end of the delta divided by the time left to its deadline: the least
 *   constant speed that meets all of them (Yao, Demers, Shenker: A scheduling model for reduced CPU energy,
 *   FOCS 1995).
 *
 * Pure: times are milliseconds of any steady clock. The twin of pacing/typewriter.py, with the same
 * arithmetic in the same order; tests/vectors/typewriter.json holds both to it.
 */
import { Arrivals, FRAME_MS } from "./arrivals.js";
import { Backlog, costMs } from "./backlog.js";
import { weightsOf } from "./pace.js";
import { LETTER } from "./punctuation.js";

/** @typedef {import("./backlog.js").Segment} Segment */
/** @typedef {import("./pace.js").PacerOptions} PacerOptions */

const SLACK_MS = 1e-3;
const LEAST_STEP_MS = 0.1;

/**
 * Takes deltas as they come and says which text is on show at a time.
 *
 * Joined, what it returns is what it was given. Only whole grapheme clusters come out, judged against the
 * text received so far; the last one, which the next delta may extend, is held until that delta, the end,
 * or its deadline. One that was shown and then grows is completed at once. A take costs O(clusters shown +
 * deltas that wait), and at most one delta waits for each millisecond of `maxLagMs`.
 */
export class Pacer {
  #segment;
  #options;
  #weightsMs;
  #backlog;
  #arrivals = new Arrivals();
  #nowMs = -Infinity;
  // The time up to which #waitMs, the weight still to spend before the next step, is accounted for.
  #sinceMs = -Infinity;
  #waitMs = 0;

  /**
   * @param {Readonly<PacerOptions>} options from `pacerOptions`
   * @param {Segment} segment
   */
  constructor(options, segment) {
    this.#segment = segment;
    this.#options = options;
    this.#weightsMs = weightsOf(options);
    this.#backlog = new Backlog(segment);
  }

  /** The options in force. */
  get options() {
    return this.#options;
  }

  /** How many clusters wait. */
  get backlog() {
    return this.#backlog.length;
  }

  /** Whether no text waits, so that there is nothing to take until the next delta. */
  get idle() {
    return this.#backlog.oldestMs === null;
  }

  /** Whether `finish` said that no delta follows. */
  get ended() {
    return this.#backlog.ended;
  }

  /** When the oldest waiting text came, null when nothing waits. */
  get oldestMs() {
    return this.#backlog.oldestMs;
  }

  /**
   * Takes one delta. After `finish` it goes on: the text gets a new end.
   *
   * @param {string} text
   * @param {number} nowMs
   */
  append(text, nowMs) {
    if (!text) return;
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    if (!this.#ready(this.#nowMs)) this.#advance(this.#nowMs);
    this.#arrivals.note(this.#nowMs, this.#options.maxLagMs);
    this.#backlog.add(text, this.#nowMs);
  }

  /**
   * No delta follows: the rest is shown at the unhurried pace or faster, within `maxLagMs`.
   *
   * @param {number} nowMs
   */
  finish(nowMs) {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    this.#advance(this.#nowMs);
    this.#backlog.finish(this.#nowMs);
  }

  /**
   * The text to show now, after what was returned before.
   *
   * @param {number} nowMs
   * @returns {string}
   */
  take(nowMs) {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    this.#advance(this.#nowMs);
    const shown = [this.#backlog.takeExtension()];
    let ready = this.#ready(this.#nowMs);
    while (ready > 0 && (this.#waitMs <= SLACK_MS || this.#overdue(this.#nowMs))) {
      ready -= this.#takeStep(ready, shown);
    }
    if (!ready) this.#waitMs = Math.max(0, this.#waitMs);
    return shown.join("");
  }

  /**
   * The time before which no take shows anything, if no delta comes; null when nothing waits.
   *
   * @param {number} nowMs
   * @returns {number | null}
   */
  nextMs(nowMs) {
    if (this.idle) return null;
    const ready = this.#ready(nowMs);
    if (this.#backlog.extension || (ready > 0 && this.#waitMs <= SLACK_MS)) return nowMs;
    if (!ready) return Math.max(nowMs, this.#backlog.deltas.last().arrivalMs + this.#options.maxLagMs);
    return Math.max(nowMs, this.#sinceMs + LEAST_STEP_MS, this.#dueMs());
  }

  /** @returns {string} all text that waits */
  flush() {
    this.#waitMs = 0;
    return this.#backlog.flush();
  }

  /** Forgets everything but the options: a new text begins. */
  clear() {
    this.#backlog = new Backlog(this.#segment);
    this.#arrivals = new Arrivals();
    this.#nowMs = -Infinity;
    this.#sinceMs = -Infinity;
    this.#waitMs = 0;
  }

  /**
   * Changes the options while text runs; they hold for all text that waits.
   *
   * @param {Readonly<PacerOptions>} options from `pacerOptions`
   */
  update(options) {
    if (this.#options.baseDelayMs > 0) {
      this.#waitMs = this.#waitMs * (options.baseDelayMs / this.#options.baseDelayMs);
    }
    this.#options = options;
    this.#weightsMs = weightsOf(options);
  }

  /** @param {number} nowMs */
  #ready(nowMs) {
    const backlog = this.#backlog;
    if (backlog.held && backlog.deltas.last().arrivalMs + this.#options.maxLagMs > nowMs)
      return backlog.length - 1;
    return backlog.length;
  }

  /** @param {number} nowMs */
  #overdue(nowMs) {
    return this.#backlog.deltas.at(0).arrivalMs + this.#options.maxLagMs <= nowMs;
  }

  /**
   * @param {number} ready
   * @param {string[]} shown
   * @returns {number} clusters taken
   */
  #takeStep(ready, shown) {
    const size = Math.min(ready, this.#options.charsPerStep);
    for (let taken = 1; taken <= size; taken++) {
      const [cluster, kind] = this.#backlog.take();
      shown.push(cluster);
      this.#waitMs += this.#weightsMs[kind];
      if (kind !== LETTER) return taken;
    }
    return size;
  }

  /** @param {number} nowMs */
  #advance(nowMs) {
    if (this.#ready(this.#sinceMs)) {
      this.#waitMs -= this.#spentMs(nowMs);
    } else {
      // Nothing could be shown meanwhile: the pause after the last step passes, no credit is saved up.
      this.#waitMs = Math.max(0, this.#waitMs - (nowMs - this.#sinceMs));
    }
    this.#sinceMs = nowMs;
  }

  /** @param {number} nowMs */
  #spentMs(nowMs) {
    const { deltas } = this.#backlog;
    const speed = this.#evenSpeed();
    let cost = this.#waitMs;
    let even = (nowMs - this.#sinceMs) * speed;
    let needed = 0;
    for (let at = 0; at < deltas.length; at++) {
      const delta = deltas.at(at);
      const startMs = Math.max(this.#sinceMs, delta.arrivalMs);
      const deadlineMs = delta.arrivalMs + this.#options.maxLagMs;
      // No delta is shown in time that passed before it came.
      if (startMs > this.#sinceMs) even = Math.min(even, cost + (nowMs - startMs) * speed);
      cost += costMs(delta, this.#weightsMs);
      const share = nowMs >= deadlineMs ? 1 : (nowMs - startMs) / (deadlineMs - startMs);
      needed = Math.max(needed, cost * share);
    }
    return Math.max(needed, even);
  }

  #evenSpeed() {
    if (this.#backlog.ended) return 1;
    const { deltas } = this.#backlog;
    let cost = this.#waitMs;
    for (let at = 0; at < deltas.length; at++) cost += costMs(deltas.at(at), this.#weightsMs);
    return Math.min(1, cost / Math.max(FRAME_MS, this.#arrivals.nextMs - this.#sinceMs));
  }

  #dueMs() {
    const { deltas } = this.#backlog;
    let cost = this.#waitMs;
    let dueMs = Infinity;
    for (let at = 0; at < deltas.length; at++) {
      const delta = deltas.at(at);
      cost += costMs(delta, this.#weightsMs);
      const startMs = Math.max(this.#sinceMs, delta.arrivalMs);
      const leftMs = Math.max(0, delta.arrivalMs + this.#options.maxLagMs - startMs);
      dueMs = Math.min(dueMs, startMs + leftMs * (this.#waitMs / cost));
    }
    return Math.min(dueMs, this.#sinceMs + this.#waitMs / this.#evenSpeed());
  }
}
