/** What a picture of a recording shows: totals at the times of its columns, and marks, in seconds. Pure. */

/** @typedef {import("./recording.js").Recording} Recording */
/** @typedef {Readonly<{fromS: number, untilS: number}>} Stretch */
/**
 * @typedef {object} Frame
 * @property {readonly number[]} timesS since the question, ascending
 * @property {readonly number[]} delivered characters
 * @property {readonly number[]} displayed characters
 * @property {number} endS of the time axis: the next round number
 * @property {number} mostChars of the other axis: the next round number
 * @property {readonly number[]} pingsS
 * @property {readonly Stretch[]} outages
 * @property {readonly Stretch[]} stalls
 */

const LEAST_S = 5;
const LEAST_CHARS = 50;
/** Axes end at these times a power of ten, so that they stand still for a while before they grow. */
const ROUND = [1, 1.5, 2, 3, 4, 5, 6, 8, 10];

/**
 * @param {Recording} recording
 * @param {number} columns at most so many times
 * @returns {Readonly<Frame>}
 */
export function frameOf(recording, columns) {
  const { askedMs, untilMs, delivered, displayed, pingsMs, outages, stalls, stall } = recording;
  const t0 = askedMs ?? delivered.points[0]?.atMs ?? 0;
  const spanMs = Math.max(0, untilMs - t0);
  const count = Math.max(2, columns);
  const timesMs = Array.from({ length: count }, (_, at) => t0 + (spanMs * at) / (count - 1));
  const seconds = (/** @type {number} */ ms) => (ms - t0) / 1000;
  const stretch = (/** @type {import("./recording.js").Span} */ { fromMs, untilMs: end }) => ({
    fromS: seconds(fromMs),
    untilS: seconds(end ?? untilMs),
  });
  return Object.freeze({
    timesS: timesMs.map(seconds),
    delivered: delivered.at(timesMs),
    displayed: displayed.at(timesMs),
    endS: roundUp(Math.max(LEAST_S, spanMs / 1000)),
    mostChars: roundUp(Math.max(LEAST_CHARS, delivered.last?.total ?? 0)),
    pingsS: pingsMs.map(seconds),
    outages: outages.map(stretch),
    stalls: [...stalls, ...(stall ? [stall] : [])].map(stretch),
  });
}

/** @param {number} value above 0 */
export function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  // Powers of ten are not exact: a value may lie just above the last step.
  const step = ROUND.find((factor) => factor * power >= value) ?? 10;
  return step * power;
}
