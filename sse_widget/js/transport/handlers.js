/** Who wants to hear of what, and saying it to them. */

/** @typedef {(...values: any[]) => unknown} Handler */

/** Lists of handlers by topic. One that throws is reported; the others, and the stream, go on. */
export class Handlers {
  /** @type {Map<string, Handler[]>} */
  #byTopic = new Map();
  #report;

  /** @param {(error: unknown) => void} report */
  constructor(report) {
    this.#report = report;
  }

  /** @param {string} topic @param {Handler} handler */
  add(topic, handler) {
    this.#byTopic.set(topic, [...(this.#byTopic.get(topic) ?? []), handler]);
  }

  /** @param {string} topic */
  has(topic) {
    return this.#byTopic.has(topic);
  }

  /**
   * Calls the handlers of a topic at once, in the order in which they came.
   *
   * @param {string} topic
   * @param {...unknown} values
   */
  say(topic, ...values) {
    for (const handler of this.#byTopic.get(topic) ?? []) {
      try {
        handler(...values);
      } catch (error) {
        this.#report(error);
      }
    }
  }
}
