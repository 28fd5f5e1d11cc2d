/** A timer that follows a deadline which moves often, as a watchdog's does with every byte. */

/** Browsers take a longer delay for none at all. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** @typedef {{now: () => number, setTimeout: (call: () => void, ms: number) => any, clearTimeout: (id: any) => void}} Clock */

/** Calls `ring` at the deadline, or earlier: whoever is called looks at the time. */
export class Alarm {
  #clock;
  #ring;
  /** @type {{id: unknown, atMs: number} | null} */
  #armed = null;

  /** @param {Clock} clock @param {() => void} ring */
  constructor(clock, ring) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /**
   * Sets the deadline. A later one leaves the timer as it is: arming it anew for every byte costs more than to be
   * woken once for nothing.
   *
   * @param {number | null} deadlineMs
   */
  set(deadlineMs) {
    if (deadlineMs !== null && this.#armed !== null && this.#armed.atMs <= deadlineMs) {
      return;
    }
    if (this.#armed !== null) {
      this.#clock.clearTimeout(this.#armed.id);
      this.#armed = null;
    }
    if (deadlineMs !== null) {
      const delayMs = Math.min(Math.max(0, Math.ceil(deadlineMs - this.#clock.now())), MAX_TIMEOUT_MS);
      const ring = () => {
        this.#armed = null;
        this.#ring();
      };
      this.#armed = { id: this.#clock.setTimeout(ring, delayMs), atMs: deadlineMs };
    }
  }
}
