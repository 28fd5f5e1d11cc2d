/** Where the choice of a fault plan stands: what shows it is loaded where the server allows faults, when it is to be seen. */
import { element } from "./element.js";

/** @typedef {import("../knobs/faults.js").Faults} Faults */
/**
 * @typedef {object} PlaceOptions
 * @property {Faults} faults
 * @property {Pick<import("../parts.js").Parts, "get" | "onHope">} parts
 * @property {import("./faults.js").Streamed} reading
 * @property {string} lang
 * @property {AbortSignal} signal
 */

export class FaultsPlace {
  element = element("div", { className: "ssew-faults", hidden: true });
  #options;
  #open = false;
  #filled = false;

  /** @param {PlaceOptions} options */
  constructor(options) {
    const { faults, parts, signal } = options;
    this.#options = options;
    faults.listen(() => this.#look(), signal);
    parts.onHope(() => this.#look(), signal);
  }

  /** @param {boolean} open whether the knobs can be seen */
  open(open) {
    this.#open = open;
    if (open) this.#options.faults.seen();
    this.#look();
  }

  async #look() {
    const { faults, parts, reading, lang, signal } = this.#options;
    this.element.hidden = !faults.allowed || !this.#filled;
    if (!faults.allowed || !this.#open || this.#filled) return;
    const part = await parts.get("faults");
    if (!part || this.#filled || signal.aborted) return;
    this.#filled = true;
    new part.FaultPicker(this.element, { faults, reading, lang, signal });
    this.element.hidden = !faults.allowed;
  }
}
