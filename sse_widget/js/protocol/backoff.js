/**
 * How long to wait before the next attempt: exponential, full jitter, cap, and the server's own `retry:`.
 * Twin of protocol/backoff.py, which names the sources.
 */

/** A server may ask for at most this much delay by `retry:`. */
export const MAX_RETRY_MS = 60_000;

/** An immutable delay policy; all times in milliseconds. */
export class Backoff {
  /** @param {{baseMs?: number, capMs?: number, floorMs?: number}} [policy] */
  constructor({ baseMs = 1000, capMs = 30_000, floorMs = 0 } = {}) {
    this.baseMs = baseMs;
    this.capMs = capMs;
    this.floorMs = floorMs;
    Object.freeze(this);
  }

  /**
   * Returns the delay before `attempt` (1, 2, 3 ...), given one random number in [0, 1).
   *
   * @param {number} attempt
   * @param {number} unitRandom
   */
  delayMs(attempt, unitRandom) {
    const bound = Math.min(this.capMs, this.baseMs * 2 ** Math.min(attempt - 1, 30));
    return this.floorMs + unitRandom * bound;
  }

  /**
   * Returns the policy after the server sent `retry:`.
   *
   * @param {number} retryMs
   */
  withRetry(retryMs) {
    return new Backoff({ ...this, floorMs: Math.min(retryMs, MAX_RETRY_MS) });
  }
}
