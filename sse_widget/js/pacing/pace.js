/**
 * How fast text is shown: the options of the typewriter, and the times that follow from them. Pure; the
 * twin of pacing/pace.py.
 */

/**
 * How text is paced. `baseDelayMs` follows a step of `charsPerStep` clusters, and the multipliers apply to it
 * after sentence and clause punctuation. No text waits longer than `maxLagMs`.
 *
 * @typedef {object} PacerOptions
 * @property {number} baseDelayMs
 * @property {number} punctuationDelayMultiplier
 * @property {number} commaDelayMultiplier
 * @property {number} charsPerStep
 * @property {number} maxLagMs
 */

/** @type {Readonly<PacerOptions>} */
export const DEFAULTS = Object.freeze({
  baseDelayMs: 8,
  punctuationDelayMultiplier: 10,
  commaDelayMultiplier: 4,
  charsPerStep: 4,
  maxLagMs: 400,
});

/**
 * Options over those in force, checked.
 *
 * @param {Partial<PacerOptions>} changes
 * @param {Readonly<PacerOptions>} [base]
 * @returns {Readonly<PacerOptions>}
 * @throws {RangeError} a value is negative, not finite, or no whole step
 * @throws {TypeError} an option that does not exist
 */
export function pacerOptions(changes, base = DEFAULTS) {
  const options = { ...base };
  for (const [name, value] of Object.entries(changes)) {
    if (!(name in DEFAULTS)) {
      throw new TypeError(`unknown option ${name}; there are ${Object.keys(DEFAULTS).join(", ")}`);
    }
    if (value === undefined) continue;
    if (!Number.isFinite(value) || value < 0) {
      throw new RangeError(`${name} must be a finite number, 0 or more; got ${value}`);
    }
    options[/** @type {keyof PacerOptions} */ (name)] = value;
  }
  if (!Number.isInteger(options.charsPerStep) || options.charsPerStep < 1) {
    throw new RangeError(`charsPerStep must be a whole number, 1 or more; got ${options.charsPerStep}`);
  }
  return Object.freeze(options);
}

/**
 * The unhurried time after a letter, clause punctuation, sentence punctuation.
 *
 * @param {Readonly<PacerOptions>} options
 * @returns {import("./backlog.js").Weights}
 */
export function weightsOf({ baseDelayMs, charsPerStep, commaDelayMultiplier, punctuationDelayMultiplier }) {
  return [
    baseDelayMs / charsPerStep,
    baseDelayMs * commaDelayMultiplier,
    baseDelayMs * punctuationDelayMultiplier,
  ];
}
