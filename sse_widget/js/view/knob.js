/** One knob: a slider for the hand, a number for the exact value, and its unit; or a switch. */
import { element } from "./element.js";

/** @typedef {import("../knobs/specs.js").NumberSpec} NumberSpec */

let made = 0;

/** A number between bounds. The field takes all that is accepted, the slider the part that is of use. */
export class NumberKnob {
  #spec;
  #auto;
  #unit;
  #slider;
  #field;

  /**
   * @param {string} label
   * @param {NumberSpec} spec
   * @param {{unit: string, auto: string}} words `auto` stands for no value
   * @param {(value: number | null) => void} turned
   * @param {AbortSignal} signal
   */
  constructor(label, spec, { unit, auto }, turned, signal) {
    const { low, high, most, step, whole } = spec;
    const id = `ssew-knob-${made++}`;
    this.#spec = spec;
    this.#auto = auto;
    this.#unit = unit;
    this.#slider = element("input", {
      type: "range",
      className: "ssew-slider",
      min: step > low && !whole ? 0 : low,
      max: most,
      step,
      "aria-label": label,
    });
    this.#field = element("input", {
      id,
      type: "number",
      className: "ssew-field",
      min: low,
      max: high,
      step: whole ? 1 : "any",
      placeholder: spec.optional ? auto : "",
      inputMode: whole ? "numeric" : "decimal",
    });
    const name = element("label", { className: "ssew-knob-name", htmlFor: id }, label);
    const measure = element("span", { className: "ssew-unit" }, unit);
    const value = element("span", { className: "ssew-value" }, this.#field, measure);
    this.element = element("div", { className: "ssew-knob" }, name, value, this.#slider);
    this.#slider.addEventListener("input", () => turned(Math.max(low, this.#slider.valueAsNumber)), {
      signal,
    });
    this.#field.addEventListener("input", () => this.#typed(turned), { signal });
  }

  /** @param {number | null} value @param {number | null} meant what holds when there is none */
  show(value, meant = null) {
    const { low, optional } = this.#spec;
    // Whoever is typing is not interrupted: 1e and 0. are on their way to a number.
    if (this.#number() !== value) this.#field.value = value === null ? "" : String(value);
    this.#field.removeAttribute("aria-invalid");
    this.#slider.value = String(value ?? meant ?? low);
    this.#slider.style.setProperty("--ssew-filled", `${100 * filled(this.#slider)}%`);
    const said = value === null && optional ? this.#auto : `${value} ${this.#unit}`;
    this.#slider.setAttribute("aria-valuetext", said.trim());
  }

  /** @param {(value: number | null) => void} turned */
  #typed(turned) {
    const value = this.#number();
    const fits = this.#field.validity.valid && (value !== null || this.#spec.optional);
    this.#field.setAttribute("aria-invalid", String(!fits));
    if (fits) turned(value);
  }

  /** @returns {number | null} */
  #number() {
    const { valueAsNumber } = this.#field;
    return Number.isNaN(valueAsNumber) ? null : valueAsNumber;
  }
}

/** The share of a slider that lies before its thumb. @param {HTMLInputElement} slider */
function filled({ min, max, valueAsNumber }) {
  return (valueAsNumber - Number(min)) / (Number(max) - Number(min));
}

/** On or off. */
export class SwitchKnob {
  #box;

  /** @param {string} label @param {(value: boolean) => void} turned @param {AbortSignal} signal */
  constructor(label, turned, signal) {
    this.#box = element("input", { type: "checkbox", className: "ssew-check" });
    this.element = element("label", { className: "ssew-switch" }, this.#box, element("span", {}, label));
    this.#box.addEventListener("change", () => turned(this.#box.checked), { signal });
  }

  /** @param {boolean} value */
  show(value) {
    this.#box.checked = value;
  }
}
