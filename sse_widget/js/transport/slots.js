/**
 * Browsers open six HTTP/1.1 connections to an origin, over all tabs; a stream that holds one for good takes it from
 * everything else. So streams take at most four, and long-polls, one at a time, a fifth: questions always get through.
 */

/** @typedef {import("./locks.js").Locks} Locks */
/** @typedef {() => void} Release */

export const SLOTS = 4;

/** The connections to one origin. */
export class Slots {
  #name;
  #locks;
  #spare;

  /**
   * @param {string} origin of the server
   * @param {Locks | null} locks over all tabs
   * @param {Locks} spare of this page, where there are no others
   */
  constructor(origin, locks, spare) {
    this.#name = `sse-widget:${origin}`;
    this.#locks = locks ?? spare;
    this.#spare = spare;
  }

  /**
   * Takes a slot, if one is free.
   *
   * @returns {Promise<Release | null>}
   */
  async take() {
    for (let slot = 0; slot < SLOTS; slot++) {
      const release = await this.#hold(`${this.#name}:${slot}`, { ifAvailable: true });
      if (release) return release;
    }
    return null;
  }

  /**
   * Takes a slot, or waits for its turn on the one connection that is left for those who have none.
   *
   * @param {AbortSignal} signal
   * @returns {Promise<{release: Release, crowded: boolean}>} rejects when the signal aborts
   */
  async turn(signal) {
    const free = await this.take();
    if (free) return { release: free, crowded: false };
    const release = /** @type {Release} */ (await this.#hold(`${this.#name}:poll`, { signal }));
    return { release, crowded: true };
  }

  /** @param {string} name @param {{ifAvailable?: boolean, signal?: AbortSignal}} options @returns {Promise<Release | null>} */
  async #hold(name, options) {
    const locks = this.#locks;
    try {
      return await held(locks, name, options);
    } catch (error) {
      if (options.signal?.aborted || locks === this.#spare) throw error;
      // A sandboxed frame has locks that it may not use.
      this.#locks = this.#spare;
      return held(this.#locks, name, options);
    }
  }
}

/**
 * @param {Locks} locks
 * @param {string} name
 * @param {{ifAvailable?: boolean, signal?: AbortSignal}} options
 * @returns {Promise<Release | null>}
 */
function held(locks, name, options) {
  return new Promise((resolve, reject) => {
    const hold = (/** @type {unknown} */ lock) => {
      if (!lock) return resolve(null);
      return new Promise((release) => resolve(() => release(undefined)));
    };
    locks.request(name, options, hold).catch(reject);
  });
}
