/**
 * The knobs: what can be turned while an answer runs, and within which bounds. The twin of knobs.py;
 * tests/vectors/knobs.json holds both to the same table. Names are those of the traits and of the wire.
 */

/**
 * Who acts on a knob: the producer of the run (by PATCH), the typewriter, this page's connection, or the view.
 *
 * @typedef {"run" | "pace" | "connection" | "view"} Owner
 */
/** @typedef {"tokens" | "ms" | "times" | "chars" | "s"} Unit */
/**
 * `low` and `high` are what is accepted; a slider goes from `low` to `most` by `step`.
 *
 * @typedef {object} NumberSpec
 * @property {Owner} owner
 * @property {Unit} unit
 * @property {number} low
 * @property {number} high
 * @property {boolean} whole
 * @property {boolean} optional whether null is a value: it leaves the choice to the server
 * @property {number | null} initial
 * @property {number} most
 * @property {number} step
 */
/** @typedef {{owner: Owner, initial: boolean}} SwitchSpec */
/**
 * @typedef {object} Values
 * @property {number} chunk_tokens
 * @property {number} chunk_ms
 * @property {number} delay_ms
 * @property {boolean} flush_on_punctuation
 * @property {number} base_delay_ms
 * @property {number} punctuation_delay_multiplier
 * @property {number} comma_delay_multiplier
 * @property {number} chars_per_step
 * @property {number} max_lag_ms
 * @property {number | null} heartbeat_s
 * @property {boolean} reconnect
 * @property {boolean} markdown
 * @property {boolean} timeline whether it is unfolded
 */
/** @typedef {keyof Values} Name */
/** @typedef {"raw" | "reading" | "defaults" | "slow_network"} PresetName */
/** @typedef {PresetName | "custom"} Preset */

/** @param {Owner} owner @param {Unit} unit @param {Partial<NumberSpec> & {initial: number | null}} rest @returns {NumberSpec} */
const number = (owner, unit, rest) => ({
  owner,
  unit,
  low: 0,
  high: 60_000,
  whole: false,
  optional: false,
  most: 1000,
  step: 10,
  ...rest,
});

/** @type {Readonly<Record<string, NumberSpec>>} */
export const NUMBERS = Object.freeze({
  chunk_tokens: number("run", "tokens", { initial: 6, low: 1, high: 1000, whole: true, most: 40, step: 1 }),
  chunk_ms: number("run", "ms", { initial: 250, most: 2000 }),
  delay_ms: number("run", "ms", { initial: 0, most: 2000 }),
  base_delay_ms: number("pace", "ms", { initial: 8, most: 100, step: 1 }),
  punctuation_delay_multiplier: number("pace", "times", { initial: 10, high: 1000, most: 40, step: 0.5 }),
  comma_delay_multiplier: number("pace", "times", { initial: 4, high: 1000, most: 20, step: 0.5 }),
  chars_per_step: number("pace", "chars", { initial: 4, low: 1, high: 1000, whole: true, most: 20, step: 1 }),
  max_lag_ms: number("pace", "ms", { initial: 400, most: 3000 }),
  heartbeat_s: number("connection", "s", {
    initial: null,
    optional: true,
    low: 0.05,
    high: 300,
    most: 60,
    step: 0.5,
  }),
});

/** @type {Readonly<Record<string, SwitchSpec>>} */
export const SWITCHES = Object.freeze({
  flush_on_punctuation: { owner: "run", initial: true },
  reconnect: { owner: "connection", initial: true },
  markdown: { owner: "view", initial: true },
  timeline: { owner: "view", initial: false },
});

/** @type {Values} */
export const INITIAL = Object.freeze(
  /** @type {any} */ (
    Object.fromEntries(
      Object.entries({ ...NUMBERS, ...SWITCHES }).map(([name, { initial }]) => [name, initial]),
    )
  ),
);

/** What a preset is about: the connection and the view are the reader's own. */
const DEFAULTS = /** @type {Partial<Values>} */ (
  Object.fromEntries(
    Object.entries(INITIAL).filter(([name]) => ["run", "pace"].includes(ownerOf(/** @type {Name} */ (name)))),
  )
);

/**
 * What a preset sets: `raw` shows every token as it comes, `reading` types at a comfortable pace, `slow_network`
 * sends little and seldom.
 *
 * @type {Readonly<Record<PresetName, Readonly<Partial<Values>>>>}
 */
export const PRESETS = Object.freeze({
  defaults: DEFAULTS,
  raw: {
    ...DEFAULTS,
    chunk_tokens: 1,
    chunk_ms: 0,
    base_delay_ms: 0,
    punctuation_delay_multiplier: 0,
    comma_delay_multiplier: 0,
    max_lag_ms: 0,
  },
  reading: {
    ...DEFAULTS,
    base_delay_ms: 24,
    chars_per_step: 1,
    punctuation_delay_multiplier: 12,
    comma_delay_multiplier: 5,
    max_lag_ms: 2000,
  },
  slow_network: {
    ...DEFAULTS,
    chunk_tokens: 20,
    chunk_ms: 1500,
    delay_ms: 900,
    flush_on_punctuation: false,
    max_lag_ms: 1200,
  },
});

/** @param {Values} values @returns {Preset} the preset that these are, to the last knob, else custom */
export function presetOf(values) {
  for (const [name, preset] of Object.entries(PRESETS)) {
    const same = Object.entries(preset).every(
      ([knob, value]) => values[/** @type {Name} */ (knob)] === value,
    );
    if (same) return /** @type {PresetName} */ (name);
  }
  return "custom";
}

/**
 * Whether a knob accepts a value.
 *
 * @param {string} name
 * @param {unknown} value
 */
export function accepts(name, value) {
  if (Object.hasOwn(SWITCHES, name)) return typeof value === "boolean";
  const spec = Object.hasOwn(NUMBERS, name) ? NUMBERS[name] : undefined;
  if (!spec) return false;
  if (value === null) return spec.optional;
  if (typeof value !== "number" || !(value >= spec.low && value <= spec.high)) return false;
  return !spec.whole || Number.isInteger(value);
}

/** @param {Name} name @returns {Owner} */
export function ownerOf(name) {
  return /** @type {{owner: Owner}} */ (NUMBERS[name] ?? SWITCHES[name]).owner;
}
