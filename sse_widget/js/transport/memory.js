/** Which ways to a server did not work lately, for all consumers of a page and over its reloads. */

/** @typedef {Record<string, {untilMs: number, reason: string}>} Avoided */
/** @typedef {Pick<Storage, "getItem" | "setItem">} Store */

/** After so long a way is tried again: networks change. */
export const AVOID_MS = 10 * 60_000;

/** The ways to one origin. */
export class Memory {
  #name;
  #kept;
  #store;
  #wall;

  /**
   * @param {string} origin
   * @param {Map<string, Avoided>} kept by the page
   * @param {Store} store over reloads
   * @param {() => number} wall Unix time in ms
   */
  constructor(origin, kept, store, wall) {
    this.#name = `sse-widget:ways:${origin}`;
    this.#kept = kept;
    this.#store = store;
    this.#wall = wall;
  }

  /** Why a way is avoided, empty when it is not. @param {string} way */
  reason(way) {
    const { untilMs = 0, reason = "" } = this.#avoided()[way] ?? {};
    return this.#wall() < untilMs ? reason : "";
  }

  /** @param {string} way @param {string} reason */
  avoid(way, reason) {
    this.#keep({ ...this.#avoided(), [way]: { untilMs: this.#wall() + AVOID_MS, reason } });
  }

  /** When nothing works, no way is to blame. */
  forget() {
    this.#keep({});
  }

  /** @returns {Avoided} */
  #avoided() {
    const kept = this.#kept.get(this.#name);
    if (kept) return kept;
    try {
      return Object(JSON.parse(this.#store.getItem(this.#name) ?? "{}"));
    } catch {
      return {};
    }
  }

  /** @param {Avoided} avoided */
  #keep(avoided) {
    this.#kept.set(this.#name, avoided);
    this.#store.setItem(this.#name, JSON.stringify(avoided));
  }
}
