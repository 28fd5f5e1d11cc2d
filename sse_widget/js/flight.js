/** The record of one run on its way from this page to the server. */
import { Outbox } from "./measure/outbox.js";
import { Spans } from "./measure/spans.js";
import { rounded } from "./protocol/trace.js";

/** @typedef {import("./transport/courier.js").Courier} Courier */
/** @typedef {import("./transport/platform.js").Platform} Platform */
/** @typedef {Pick<Platform, "setTimeout" | "clearTimeout" | "newKey">} Around */

/** Rows are sent so often: requests cost the page something, and nobody needs them sooner. */
export const EVERY_MS = 2000;
/** After the end of a run, text that is not shown within this of the last that was is not waited for. */
export const PATIENCE_MS = 1000;
/** Exchanges of the time when a run begins, and at its end. */
const FIRST_EXCHANGES = 4;
const LAST_EXCHANGES = 1;

/**
 * One reader of one run: it announces itself when the run has an id, sends rows while they come, and says when it was
 * the last. A server that will not have them is left alone; the answer never waits for any of it.
 */
export class Flight {
  spans = new Spans();
  #askedMs;
  #times;
  #around;
  #outbox;
  /** @type {Courier | null} */
  #courier = null;
  #streamId = "";
  #announced = false;
  /** The batch that is under way, and those that follow it. @type {Promise<void>} */
  #posting = Promise.resolve();
  /** Whether the page does not add to it any more. */
  #ended = false;
  /** @type {Promise<unknown> | null} */
  #closing = null;
  /** @type {any} */
  #timer = null;
  /** @type {any} */
  #patience = null;

  /**
   * @param {number | null} askedMs when this page asked; null when it did not
   * @param {import("./times.js").Times} times
   * @param {Around} around
   */
  constructor(askedMs, times, around) {
    this.#askedMs = askedMs;
    this.#times = times;
    this.#around = around;
    this.#outbox = new Outbox(around.newKey());
  }

  /** Whether nothing more is taken in. */
  get closed() {
    return this.#ended || this.#closing !== null;
  }

  /** Whether the server would not have it. */
  get refused() {
    return this.#outbox.refused;
  }

  /** A connection says which run it is of, and how to reach its server. @param {string} streamId @param {Courier | null} courier */
  greet(streamId, courier) {
    this.#courier = courier ?? this.#courier;
    this.#streamId ||= streamId;
    if (!this.#courier || !this.#streamId || this.#announced) return;
    this.#announced = true;
    this.#announce(this.#courier);
  }

  /** Something was heard: sends it soon, and at once when it was the last. */
  look() {
    const { clearTimeout, setTimeout } = this.#around;
    if (this.#patience !== null) clearTimeout(this.#patience);
    this.#patience = null;
    if (this.closed || !this.#announced) return;
    if (this.spans.over) return this.#close();
    if (!this.spans.live) this.#patience = setTimeout(() => this.#giveUp(), PATIENCE_MS);
    this.#due();
  }

  /** The reader is gone, or reads something else: what is known is sent. */
  leave() {
    if (this.closed) return;
    this.spans.giveUp();
    if (this.#announced) this.#close();
    else this.#end();
  }

  /** The page is leaving: sends what it can in one request that outlives it. */
  last() {
    if (this.#ended || !this.#announced || !this.#courier) return;
    this.spans.giveUp();
    this.#outbox.add(this.spans.take());
    this.#courier.send(this.#streamId, this.#outbox.last(this.#facts), true);
    this.#end();
  }

  get #facts() {
    const { offsetNs, errorNs } = this.#times.clock;
    const asked = this.#askedMs === null ? null : rounded(this.#askedMs);
    return { offset_ns: offsetNs, error_ns: errorNs, asked };
  }

  /** @param {Courier} courier */
  async #announce(courier) {
    await this.#send(courier, false);
    if (!this.closed) await this.#times.ask(courier, FIRST_EXCHANGES);
    this.look();
  }

  #giveUp() {
    this.spans.giveUp();
    this.look();
  }

  #due() {
    if (this.#timer !== null || !(this.spans.ready || this.#outbox.length > 0)) return;
    this.#timer = this.#around.setTimeout(async () => {
      if (this.#courier && !this.closed) await this.#send(this.#courier, false);
      this.#timer = null;
      if (!this.closed) this.#due();
    }, EVERY_MS + this.#outbox.waitMs);
  }

  /** Asks for the time once more, then sends all that there is. */
  #close() {
    this.#closing ??= this.#finish();
  }

  async #finish() {
    const courier = /** @type {Courier} */ (this.#courier);
    await this.#times.ask(courier, LAST_EXCHANGES, true);
    while (!this.#ended) {
      await this.#wait(this.#outbox.waitMs);
      await this.#send(courier, true);
    }
  }

  /** @param {number} ms @returns {Promise<void>} */
  #wait(ms) {
    if (ms === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#around.setTimeout(resolve, ms);
    });
  }

  /** One batch at a time: the next one depends on what the server has. @param {Courier} courier @param {boolean} over */
  #send(courier, over) {
    this.#posting = this.#posting.then(async () => {
      if (this.#ended) return;
      this.#outbox.add(this.spans.take());
      const batch = this.#outbox.next(this.#facts, over);
      const answer = await courier.send(this.#streamId, batch);
      this.#outbox.settle(batch, answer);
      if (this.#outbox.closed) this.#end();
    });
    return this.#posting;
  }

  #end() {
    this.#ended = true;
    this.#around.clearTimeout(this.#timer);
    this.#around.clearTimeout(this.#patience);
  }
}
