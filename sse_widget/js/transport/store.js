/** What a page keeps over its reloads. */

/** Keeps it for as long as the page lives, where the browser allows no more: in a sandboxed frame, or when it is full. */
export class Store {
  /** @type {Map<string, string>} */
  #kept = new Map();
  #open;

  /** @param {() => Pick<Storage, "getItem" | "setItem">} open may throw, as `sessionStorage` does without an origin */
  constructor(open) {
    this.#open = open;
  }

  /** @param {string} name @returns {string | null} */
  getItem(name) {
    return this.#kept.get(name) ?? this.#try((storage) => storage.getItem(name));
  }

  /** @param {string} name @param {string} value */
  setItem(name, value) {
    this.#kept.set(name, value);
    this.#try((storage) => storage.setItem(name, value));
  }

  /**
   * @template T
   * @param {(storage: Pick<Storage, "getItem" | "setItem">) => T} use
   */
  #try(use) {
    try {
      return use(this.#open());
    } catch {
      return null;
    }
  }
}
