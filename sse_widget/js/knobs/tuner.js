/** Carries turned knobs to the run, as fast as it takes them. Pure: sending is an argument. */

/** @typedef {"tuned" | "refused" | "unreachable"} Outcome */
/** @typedef {Record<string, number | boolean>} Changes */

/**
 * Sends at most one request at a time. What is turned meanwhile goes with the next one, the last value of each knob: a
 * slider that is dragged neither queues nor floods.
 */
export class Tuner {
  #send;
  #told;
  /** @type {Changes} */
  #waiting = {};
  #sending = false;

  /**
   * @param {(changes: Changes) => Promise<Outcome>} send
   * @param {(outcome: Outcome) => void} told hears how each request went
   */
  constructor(send, told) {
    this.#send = send;
    this.#told = told;
  }

  /** @param {Changes} changes */
  push(changes) {
    Object.assign(this.#waiting, changes);
    if (!this.#sending) this.#run();
  }

  /** Forgets what waits: the next question carries it. */
  clear() {
    this.#waiting = {};
  }

  async #run() {
    this.#sending = true;
    try {
      while (Object.keys(this.#waiting).length > 0) {
        const changes = this.#waiting;
        this.#waiting = {};
        this.#told(await this.#send(changes));
      }
    } finally {
      this.#sending = false;
    }
  }
}
