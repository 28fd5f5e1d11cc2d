/** The values of the knobs in a page: one set for all views that show the same run. Pure. */
import { accepts, INITIAL, ownerOf, PRESETS, presetOf } from "./specs.js";

/** @typedef {import("./specs.js").Values} Values */
/** @typedef {import("./specs.js").Name} Name */
/** @typedef {import("./specs.js").PresetName} PresetName */
/** @typedef {"page" | "kernel"} Origin who turned a knob: the one that did carries the change to the run */
/** @typedef {(changes: Partial<Values>, origin: Origin) => void} Heard hears what has changed, and nothing else */

/** Holds the values, and tells every listener what changed: once, and only what is new. */
export class Knobs {
  /** @type {Readonly<Values>} */
  #values = INITIAL;
  /** @type {Set<Heard>} */
  #listeners = new Set();

  get values() {
    return this.#values;
  }

  get preset() {
    return presetOf(this.#values);
  }

  /** What a question is sent with. */
  get params() {
    return pick(this.#values, "run");
  }

  /** What a consumer is made with. */
  get connection() {
    return connectionOf(this.#values);
  }

  /** What a typewriter is made with. */
  get pace() {
    return paceOf(pick(this.#values, "pace"));
  }

  /**
   * Turns knobs. What is out of bounds is left as it is.
   *
   * @param {Partial<Values> | Record<string, unknown>} wanted
   * @param {Origin} [origin]
   */
  set(wanted, origin = "page") {
    const entries = Object.entries(wanted).filter(
      ([name, value]) => accepts(name, value) && this.#values[/** @type {Name} */ (name)] !== value,
    );
    if (entries.length === 0) return;
    const changes = /** @type {Partial<Values>} */ (Object.fromEntries(entries));
    this.#values = Object.freeze({ ...this.#values, ...changes });
    for (const listener of [...this.#listeners]) listener(changes, origin);
  }

  /** @param {PresetName} name */
  apply(name) {
    this.set(PRESETS[name]);
  }

  /** @param {Heard} listener @param {AbortSignal} signal */
  listen(listener, signal) {
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener));
  }
}

/**
 * Those of some values that one owner acts on.
 *
 * @param {Partial<Values>} values
 * @param {import("./specs.js").Owner} owner
 * @returns {Record<string, any>}
 */
export function pick(values, owner) {
  return Object.fromEntries(
    Object.entries(values).filter(([name]) => ownerOf(/** @type {Name} */ (name)) === owner),
  );
}

/** @param {Partial<Values>} values @returns {{reconnect?: boolean, heartbeatS?: number | null}} */
export function connectionOf(values) {
  const { reconnect, heartbeat_s: heartbeatS } = values;
  return {
    ...(reconnect === undefined ? {} : { reconnect }),
    ...(heartbeatS === undefined ? {} : { heartbeatS }),
  };
}

/**
 * The typewriter's options, by its own names.
 *
 * @param {Record<string, number>} values
 * @returns {Partial<import("../pacing/pace.js").PacerOptions>}
 */
export function paceOf(values) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [camel(name), value]));
}

/** @param {string} name */
function camel(name) {
  return name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
}
