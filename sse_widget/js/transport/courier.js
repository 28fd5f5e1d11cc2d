/** What a page says to its server beside a stream: which rows it recorded, and what time it is. */
import { nsOf } from "../measure/clock.js";

/** @typedef {import("../measure/outbox.js").Batch} Batch */
/** @typedef {import("../measure/outbox.js").Answer} Answer */
/** @typedef {[number, number, number, number]} Exchange t0, t1, t2, t3 of measure/clock.js, ns */
/** @typedef {Pick<import("./platform.js").Platform, "fetch" | "now" | "setTimeout" | "clearTimeout">} Network */

/** One that takes longer is given up: it holds a connection of the browser's, and those that follow wait for it. */
export const LIMIT_MS = 10_000;

/** Over HTTP, whichever way the stream itself takes. */
export class Courier {
  #endpoint;
  #network;

  /** @param {import("./endpoint.js").Endpoint} endpoint @param {Network} network */
  constructor(endpoint, network) {
    this.#endpoint = endpoint;
    this.#network = network;
    /** Where the server is: another one has another clock. */
    this.origin = endpoint.origin;
  }

  /**
   * Posts rows. Never rejects.
   *
   * @param {string} streamId
   * @param {Batch} batch
   * @param {boolean} [last] whether the page is leaving: the request outlives it
   * @returns {Promise<Answer>}
   */
  async send(streamId, batch, last = false) {
    try {
      const { url, init } = await this.#endpoint.spans(streamId, batch);
      // Nobody is left to give up the last one.
      if (last) return await this.#post(url, { ...init, keepalive: true });
      return await this.#within((signal) => this.#post(url, { ...init, signal }));
    } catch {
      return { status: 0, have: null };
    }
  }

  /**
   * Asks for the server's time. Never rejects; null when there was no answer.
   *
   * @returns {Promise<Exchange | null>}
   */
  async exchange() {
    try {
      const { url, init } = await this.#endpoint.clock();
      return await this.#within((signal) => this.#time(url, { ...init, signal }));
    } catch {
      return null;
    }
  }

  /** @param {string} url @param {RequestInit} init @returns {Promise<Answer>} */
  async #post(url, init) {
    const response = await this.#network.fetch(url, init);
    const have = response.status === 409 ? (await response.json()).have : null;
    if (response.status !== 409) response.body?.cancel().catch(() => {});
    return { status: response.status, have: Number.isSafeInteger(have) ? have : null };
  }

  /** @param {string} url @param {RequestInit} init @returns {Promise<Exchange | null>} */
  async #time(url, init) {
    const { now, fetch } = this.#network;
    const leftMs = now();
    const response = await fetch(url, init);
    const backMs = now();
    const { received, sent } = response.ok ? await response.json() : {};
    // A server that has been up for 104 days is beyond the safe integers.
    if (!Number.isInteger(received) || !Number.isInteger(sent)) return null;
    return [nsOf(leftMs), received, sent, nsOf(backMs)];
  }

  /** @template T @param {(signal: AbortSignal) => Promise<T>} request @returns {Promise<T>} */
  async #within(request) {
    const { setTimeout, clearTimeout } = this.#network;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), LIMIT_MS);
    try {
      return await request(late.signal);
    } finally {
      clearTimeout(timer);
    }
  }
}
