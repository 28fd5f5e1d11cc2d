/** What a server's metrics were over the last minutes: levels as they were, counters as rates, histograms as quantiles. */
import { quantile } from "./exposition.js";

/** @typedef {import("./exposition.js").Scrape} Scrape */
/** @typedef {import("./exposition.js").Labels} Labels */
/** @typedef {{atMs: number, scrape: Scrape | null}} Moment a scrape, or that there was none */
/** @typedef {(number | null)[]} Values one for each moment, null where there is none */

export const KEPT_MS = 180_000;
/** Quantiles are of what was observed in so long a time: single observations would jump. */
const QUANTILES_OVER_MS = 30_000;

/** Keeps the scrapes of the last three minutes. One of another process begins anew: its counters are others. */
export class History {
  /** @type {Moment[]} */
  #moments = [];

  /** @param {number} nowMs @param {Scrape | null} scrape null when the server could not be asked */
  add(nowMs, scrape) {
    this.#moments.push({ atMs: nowMs, scrape });
    while ((this.#moments[0]?.atMs ?? nowMs) < nowMs - KEPT_MS) this.#moments.shift();
  }

  /** The newest scrape. */
  get last() {
    return this.#moments.at(-1)?.scrape ?? null;
  }

  get timesMs() {
    return this.#moments.map(({ atMs }) => atMs);
  }

  /** What a gauge stood at. @param {string} name @param {Labels} [labels] @returns {Values} */
  levels(name, labels) {
    return this.#moments.map(({ scrape }) => scrape?.sum(name, labels) ?? null);
  }

  /**
   * By how much a counter grew in a second, since the moment before, or over a longer time, for what is rare.
   *
   * @param {string} name
   * @param {Labels} [labels]
   * @param {number} [overMs]
   * @returns {Values}
   */
  rates(name, labels, overMs = 0) {
    return this.#moments.map((moment, at) => {
      const since = this.#since(at, overMs);
      if (!moment.scrape || !since) return null;
      const grown = (moment.scrape.sum(name, labels) ?? 0) - (since.scrape.sum(name, labels) ?? 0);
      return (1000 * grown) / (moment.atMs - since.atMs);
    });
  }

  /** Below what this share of the observations of half a minute lay. @param {string} name @param {number} share @returns {Values} */
  quantiles(name, share) {
    return this.#moments.map(({ scrape }, at) => {
      const since = this.#since(at, QUANTILES_OVER_MS);
      return scrape && since ? quantile(since.scrape.buckets(name), scrape.buckets(name), share) : null;
    });
  }

  /** The first moment of so long a time before another of the same process; the one before it at least. @param {number} at @param {number} overMs */
  #since(at, overMs) {
    const { atMs = 0, scrape = null } = this.#moments[at] ?? {};
    for (let from = 0; scrape && from < at; from += 1) {
      const moment = this.#moments[from];
      if (!moment?.scrape || (moment.atMs < atMs - overMs && from < at - 1)) continue;
      if (sameProcess(moment.scrape, scrape)) return { atMs: moment.atMs, scrape: moment.scrape };
    }
    return null;
  }
}

/** @param {Scrape} one @param {Scrape} other */
function sameProcess(one, other) {
  const started = "process_start_time_seconds";
  const [before, after] = [one, other].map((scrape) => scrape.samples("sse_server_info")[0]?.labels.node);
  return before === after && one.sum(started) === other.sum(started);
}
