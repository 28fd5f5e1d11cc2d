/** The knobs' part of the panel: presets, what the server does, what the typewriter does, the connection. */
import { decode, number } from "../protocol/events.js";
import { element } from "./element.js";
import { FaultsPlace } from "./faults_place.js";
import { NumberKnob, SwitchKnob } from "./knob.js";
import { Presets } from "./presets.js";

/** @typedef {import("../knobs/knobs.js").Knobs} Knobs */
/** @typedef {import("../knobs/specs.js").Name} Name */
/** @typedef {import("../knobs/specs.js").NumberSpec} NumberSpec */
/** @typedef {import("./words.js").Words} Words */
/** @typedef {{problem: string, listen: (hear: (problem: string) => void, signal: AbortSignal) => void}} Tuning */
/** @typedef {{transport: string, listen: import("../reading.js").Reading["listen"]}} Streamed */
/**
 * @typedef {object} KnobsOptions
 * @property {Knobs} knobs
 * @property {Readonly<Record<string, NumberSpec>>} numbers
 * @property {Tuning} tuning
 * @property {Streamed & import("./faults.js").Streamed} reading
 * @property {Words} words
 * @property {string} lang
 * @property {import("../knobs/faults.js").Faults} faults
 * @property {import("../parts.js").Parts} parts
 * @property {AbortSignal} signal
 */

/** @type {Readonly<Record<"run" | "pace" | "connection", readonly Exclude<Name, "timeline">[]>>} */
const GROUPS = {
  run: ["chunk_tokens", "chunk_ms", "delay_ms", "flush_on_punctuation"],
  pace: [
    "base_delay_ms",
    "chars_per_step",
    "punctuation_delay_multiplier",
    "comma_delay_multiplier",
    "max_lag_ms",
    "markdown",
  ],
  connection: ["heartbeat_s", "reconnect"],
};

/** Shows the values of the knobs, whoever turned them, and turns them. */
export class KnobsView {
  #options;
  #faults;
  #presets;
  #note = element("p", { className: "ssew-note", role: "status" });
  /** @type {Map<Name, NumberKnob | SwitchKnob>} */
  #rows = new Map();
  /** What the server says its heartbeat is. @type {number | null} */
  #serverHeartbeatS = null;

  /** @param {KnobsOptions} options */
  constructor(options) {
    const { knobs, tuning, reading, words, signal } = options;
    this.#options = options;
    this.#faults = new FaultsPlace(options);
    this.#presets = new Presets(words, (name) => knobs.apply(name), signal);
    const groups = Object.entries(GROUPS).map(([name, rows]) =>
      this.#group(/** @type {keyof typeof GROUPS} */ (name), rows),
    );
    this.element = element(
      "div",
      { className: "ssew-knobs", role: "group", "aria-label": words.knobs },
      this.#presets.element,
      element("div", { className: "ssew-groups" }, ...groups),
      this.#note,
    );
    knobs.listen(() => this.#show(), signal);
    tuning.listen(() => this.#say(), signal);
    reading.listen(
      { transport: () => this.#say(), standing: () => this.#say(), event: (event) => this.#hear(event) },
      signal,
    );
    this.#show();
    this.#say();
  }

  /** @param {boolean} open whether they can be seen */
  open(open) {
    this.#faults.open(open);
  }

  /** @param {keyof typeof GROUPS} name @param {readonly Exclude<Name, "timeline">[]} rows */
  #group(name, rows) {
    const { words } = this.#options;
    const title = element("legend", { className: "ssew-legend-title" }, words.groups[name]);
    const knobs = rows.map((row) => this.#row(row));
    const faults = name === "connection" ? [this.#faults.element] : [];
    return element("fieldset", { className: `ssew-group ssew-group-${name}` }, title, ...knobs, ...faults);
  }

  /** @param {Exclude<Name, "timeline">} name */
  #row(name) {
    const { knobs, numbers, words, signal } = this.#options;
    const turned = (/** @type {unknown} */ value) => knobs.set({ [name]: value });
    const spec = numbers[name];
    const row = spec
      ? new NumberKnob(
          words.knob[name],
          spec,
          { unit: words.units[spec.unit], auto: words.auto },
          turned,
          signal,
        )
      : new SwitchKnob(words.knob[name], turned, signal);
    this.#rows.set(name, row);
    return row.element;
  }

  #show() {
    const { values, preset } = this.#options.knobs;
    this.#presets.show(preset);
    for (const [name, row] of this.#rows) {
      /** @type {{show: (value: any, meant?: number | null) => void}} */ (row).show(
        values[name],
        this.#serverHeartbeatS,
      );
    }
  }

  /** @param {{event: string, data: string}} event */
  #hear({ event, data }) {
    if (event !== "hello" || this.#options.knobs.values.heartbeat_s !== null) return;
    this.#serverHeartbeatS = decode(data, { heartbeat_s: number })?.heartbeat_s || null;
    this.#show();
  }

  #say() {
    const { tuning, reading, words } = this.#options;
    const said = reading.transport === "relay" ? words.relayed : "";
    const text = tuning.problem ? words.unreachable : said;
    if (this.#note.textContent !== text) this.#note.textContent = text;
    this.#note.hidden = !text;
  }
}
