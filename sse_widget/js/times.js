/** What this page knows of its server's clock. */
import { Clock } from "./measure/clock.js";

/** @typedef {import("./transport/courier.js").Courier} Courier */

/** Two clocks that drift apart by 50 parts in a million, which is much, are 3 ms apart after this. */
export const FRESH_MS = 60_000;

/** Exchanges serve all runs that come soon after them. */
export class Times {
  clock = new Clock();
  /** Takes its place once it has an exchange: an old estimate is better than none. */
  #next = new Clock();
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
    if (courier.origin !== this.#origin) this.#meet(courier.origin);
    const old = this.#now() - this.#sinceMs > FRESH_MS;
    if (!old && !more) return;
    const clock = old ? this.#next : this.clock;
    for (let asked = 0; asked < count; asked++) {
      const exchange = await courier.exchange();
      if (!exchange) return;
      clock.add(...exchange);
      if (clock === this.#next && clock.offsetNs !== null) this.#renew();
    }
  }

  /** Another server has another clock. @param {string} origin */
  #meet(origin) {
    this.#origin = origin;
    this.clock = new Clock();
    this.#next = new Clock();
    this.#sinceMs = Number.NEGATIVE_INFINITY;
  }

  #renew() {
    this.clock = this.#next;
    this.#next = new Clock();
    this.#sinceMs = this.#now();
  }
}
