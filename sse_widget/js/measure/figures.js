/** The figures of a recording (design.md section 10). Pure. */

/** @typedef {import("./recording.js").Recording} Recording */
/** @typedef {import("./recording.js").Progress} Progress */
/**
 * Times in ms, null where there is nothing to say yet. Delivered and displayed stand side by side: pacing can make
 * one look good at the cost of the other.
 *
 * @typedef {object} Figures
 * @property {number | null} ttftMs TTFT: r_1 − t0, when the first delta was delivered
 * @property {number | null} ttfpMs TTFP: p_1 − t0, when its last character was displayed
 * @property {Pair} charsPerS those after the first delta, over the time from it to the last one
 * @property {Pair} gapP50Ms between deltas
 * @property {Pair} gapP95Ms
 * @property {number} lagMs for how long the oldest delta waits that is not displayed to its end
 * @property {number} chars delivered
 * @property {number} reconnects
 */
/** @typedef {Readonly<{delivered: number | null, displayed: number | null}>} Pair */

/**
 * @param {Recording} recording
 * @param {number} nowMs
 * @returns {Readonly<Figures>}
 */
export function figuresOf(recording, nowMs) {
  const { deliveries, displays, gaps, oldestMs, askedMs, joined } = recording;
  // What came before this page looked, it cannot time.
  const t0 = joined ? null : askedMs;
  return Object.freeze({
    ttftMs: since(t0, deliveries),
    ttfpMs: since(t0, displays),
    charsPerS: { delivered: rate(deliveries), displayed: rate(displays) },
    gapP50Ms: { delivered: gaps.delivered.percentile(0.5), displayed: gaps.displayed.percentile(0.5) },
    gapP95Ms: { delivered: gaps.delivered.percentile(0.95), displayed: gaps.displayed.percentile(0.95) },
    lagMs: oldestMs === null ? 0 : Math.max(0, nowMs - oldestMs),
    chars: recording.delivered.last?.total ?? 0,
    reconnects: recording.reconnects,
  });
}

/** @param {number | null} t0 @param {Readonly<Progress> | null} progress */
function since(t0, progress) {
  return t0 === null || progress === null ? null : progress.firstMs - t0;
}

/** @param {Readonly<Progress> | null} progress */
function rate(progress) {
  if (progress === null || progress.lastMs <= progress.firstMs) return null;
  return (1000 * (progress.chars - progress.firstChars)) / (progress.lastMs - progress.firstMs);
}
