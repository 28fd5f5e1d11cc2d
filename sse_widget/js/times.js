/** What this page knows of its server's clock. */
import { Clock } from "./measure/clock.js";

/** @typedef {import("./transport/courier.js").Courier} Courier */

/** Two clocks that drift apart by 50 parts in a million, which is much, are 3 ms apart after this. */
export const FRESH_MS = 60_000;

/** Exchanges serve all runs that come soon after them. */
export class Times {
  clock = new Clock();
  #now;
  #origin = "";
  #sinceMs = Number.NEGATIVE_INFINITY;

  /** @param {() => number} now ms */
  constructor(now) {
    this.#now = now;
  }

  /**
   * Exchanges the time with a server, one question after the other. Never rejects.
   *
   * @param {Courier} courier
   * @param {number} count
   * @param {boolean} [more] also when its clock is known already
   */
  async ask(courier, count, more = false) {
    const old = this.#now() - this.#sinceMs > FRESH_MS;
    if (old || courier.origin !== this.#origin) this.#renew(courier.origin);
    else if (!more) return;
    const { clock } = this;
    for (let asked = 0; asked < count; asked++) {
      const exchange = await courier.exchange();
      if (!exchange) return;
      clock.add(...exchange);
    }
  }

  /** @param {string} origin */
  #renew(origin) {
    this.clock = new Clock();
    this.#origin = origin;
    this.#sinceMs = this.#now();
  }
}
