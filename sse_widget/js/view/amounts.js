/** Figures as people read them: two or three digits and a unit. */

const NONE = "–";
/** Isolates it from text of the other direction. */
const isolated = (/** @type {string} */ text) => `\u2066${text}\u2069`;

/** @param {number | null} ms @param {string} unit of seconds */
export function seconds(ms, unit) {
  if (ms === null) return NONE;
  const s = ms / 1000;
  return isolated(`${s.toFixed(s < 9.995 ? 2 : 1)} ${unit}`);
}

/** @param {number | null} ms @param {string} unit of milliseconds */
export function milliseconds(ms, unit) {
  return ms === null ? NONE : isolated(`${Math.round(ms)} ${unit}`);
}

/** @param {number | null} value */
export function rate(value) {
  return value === null ? NONE : String(Math.round(value));
}

/** @param {number} bytes @param {readonly string[]} units each a thousand times the one before */
export function size(bytes, units) {
  let value = bytes;
  let at = 0;
  while (value >= 999.5 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  return isolated(`${value.toFixed(at > 0 && value < 99.95 ? 1 : 0)} ${units[at]}`);
}
