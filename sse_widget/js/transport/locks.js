/** Locks by name, for pages whose browser offers none across its tabs: outside of https and localhost. */

/**
 * The part of LockManager (Web Locks API) that is used here.
 *
 * @typedef {object} Locks
 * @property {<T>(name: string, options: {ifAvailable?: boolean, signal?: AbortSignal}, hold: (lock: unknown) => T | Promise<T>) => Promise<T>} request
 */

/** @implements {Locks} */
export class PageLocks {
  /** @type {Map<string, (() => void)[]>} who waits, by the name of each lock that is held */
  #held = new Map();

  /**
   * Holds a lock for as long as what `hold` returns is unsettled; it is called with null when the lock is not free and
   * only a free one was asked for.
   *
   * @template T
   * @param {string} name
   * @param {{ifAvailable?: boolean, signal?: AbortSignal}} options
   * @param {(lock: unknown) => T | Promise<T>} hold
   * @returns {Promise<T>}
   */
  async request(name, { ifAvailable = false, signal }, hold) {
    if (this.#held.has(name)) {
      if (ifAvailable) return hold(null);
      await this.#turn(name, signal);
    } else {
      this.#held.set(name, []);
    }
    try {
      return await hold({ name });
    } finally {
      const next = this.#held.get(name)?.shift();
      next ? next() : this.#held.delete(name);
    }
  }

  /** @param {string} name @param {AbortSignal | undefined} signal @returns {Promise<void>} */
  #turn(name, signal) {
    const waiting = this.#held.get(name) ?? [];
    return new Promise((resolve, reject) => {
      const leave = () => {
        waiting.splice(waiting.indexOf(mine), 1);
        reject(signal?.reason);
      };
      const mine = () => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      if (signal?.aborted) return reject(signal.reason);
      signal?.addEventListener("abort", leave, { once: true });
      waiting.push(mine);
    });
  }
}
