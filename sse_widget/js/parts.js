/** Code that only some answers need, loaded when the first of them comes. */

/** @typedef {"code" | "faults" | "markdown" | "math" | "timeline"} PartName entry `parts/NAME.js`, bundled to `static/part-NAME.js` */
/** @typedef {(name: PartName) => Promise<any>} LoadPart */

/** Loads each part once, however many views ask for it. */
export class Parts {
  #load;
  /** @type {Map<PartName, Promise<any>>} */
  #parts = new Map();
  /** @type {Set<() => void>} */
  #hopeful = new Set();

  /** @param {LoadPart} load returns the part's module, or rejects when it cannot be had */
  constructor(load) {
    this.#load = load;
  }

  /**
   * The module of a part, or null when it cannot be had now: the plain form stands then, and the next call tries again.
   *
   * @param {PartName} name
   * @returns {Promise<any>}
   */
  get(name) {
    const known = this.#parts.get(name);
    if (known) return known;
    const part = this.#load(name).catch(() => {
      this.#parts.delete(name);
      return null;
    });
    this.#parts.set(name, part);
    return part;
  }

  /** @param {() => void} call hears when a part that could not be had may be there @param {AbortSignal} signal */
  onHope(call, signal) {
    this.#hopeful.add(call);
    signal.addEventListener("abort", () => this.#hopeful.delete(call));
  }

  /** A way to where parts are was found. */
  hope() {
    for (const call of this.#hopeful) call();
  }
}

/**
 * Loads parts that lie beside a module.
 *
 * @param {string | URL} base the module's URL, or that of another file in the same folder
 * @returns {LoadPart}
 */
export function beside(base) {
  return async (name) => import(new URL(`part-${name}.js`, base).href);
}
