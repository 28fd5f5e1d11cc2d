/** The choice of a preset; `custom` shows when the knobs are none of them. */
import { element } from "./element.js";

/** @typedef {import("../knobs/specs.js").Preset} Preset */
/** @typedef {import("../knobs/specs.js").PresetName} PresetName */

const NAMES = /** @type {const} */ (["defaults", "raw", "reading", "slow_network", "custom"]);
let made = 0;

/** Radio buttons: arrow keys go from one to the next. */
export class Presets {
  /** @type {Map<Preset, {input: HTMLInputElement, label: HTMLElement}>} */
  #choices = new Map();

  /**
   * @param {import("./words.js").Words} words
   * @param {(name: PresetName) => void} chosen
   * @param {AbortSignal} signal
   */
  constructor(words, chosen, signal) {
    const group = `ssew-presets-${made++}`;
    for (const name of NAMES) {
      const input = element("input", { type: "radio", name: group, value: name, className: "ssew-unseen" });
      const label = element("label", { className: "ssew-preset" }, input, words.presets[name]);
      this.#choices.set(name, { input, label });
      if (name !== "custom") input.addEventListener("change", () => chosen(name), { signal });
    }
    const labels = [...this.#choices.values()].map(({ label }) => label);
    this.element = element(
      "div",
      { className: "ssew-presets", role: "radiogroup", "aria-label": words.preset },
      ...labels,
    );
  }

  /** @param {Preset} preset */
  show(preset) {
    for (const [name, { input, label }] of this.#choices) {
      input.checked = name === preset;
      if (name === "custom") label.hidden = preset !== "custom";
    }
  }
}
