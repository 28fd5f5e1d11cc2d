/** Prometheus's text format, as far as a dashboard of our own server reads it. */

/** @typedef {Readonly<{[name: string]: string | undefined, le?: string, code?: string, reason?: string, node?: string, log?: string, version?: string}>} Labels */
/** @typedef {{labels: Labels, value: number}} Sample */
/** @typedef {{bounds: readonly number[], counts: readonly number[]}} Buckets counts of what lies at or below each bound; the last bound is infinite */

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const ESCAPED = /\\(.)/g;

/** One scrape: what every metric was at one time. */
export class Scrape {
  /** @type {Map<string, Sample[]>} */
  #samples = new Map();

  /** @param {string} text https://prometheus.io/docs/instrumenting/exposition_formats/ */
  constructor(text) {
    for (const line of text.split("\n")) {
      const [, name, labels, value] = LINE.exec(line) ?? [];
      if (name === undefined || value === undefined) continue;
      const sample = { labels: labelsOf(labels ?? ""), value: numberOf(value) };
      const known = this.#samples.get(name);
      known ? known.push(sample) : this.#samples.set(name, [sample]);
    }
  }

  /** The samples of a metric that have these labels. @param {string} name @param {Labels} [labels] @returns {readonly Sample[]} */
  samples(name, labels = {}) {
    const wanted = Object.entries(labels);
    return (this.#samples.get(name) ?? []).filter((one) =>
      wanted.every(([key, value]) => one.labels[key] === value),
    );
  }

  /** Their sum, null where there are none. @param {string} name @param {Labels} [labels] */
  sum(name, labels) {
    const samples = this.samples(name, labels);
    return samples.length ? samples.reduce((sum, one) => sum + one.value, 0) : null;
  }

  /** A histogram, added up over all its labels. @param {string} name @returns {Buckets} */
  buckets(name) {
    /** @type {Map<number, number>} */
    const counts = new Map();
    for (const { labels, value } of this.samples(`${name}_bucket`)) {
      const bound = numberOf(labels.le ?? "");
      counts.set(bound, (counts.get(bound) ?? 0) + value);
    }
    const sorted = [...counts].sort(([one], [other]) => one - other);
    return { bounds: sorted.map(([bound]) => bound), counts: sorted.map(([, count]) => count) };
  }
}

/**
 * The value below which this share of what was observed between two scrapes lies, as Prometheus's histogram_quantile
 * estimates it: evenly spread within a bucket, and never beyond the last finite bound. Null when nothing was observed.
 *
 * @param {Buckets} before
 * @param {Buckets} after
 * @param {number} share from 0 to 1
 */
export function quantile(before, after, share) {
  const { bounds } = after;
  const counts = after.counts.map((count, at) => count - (before.counts[at] ?? 0));
  const total = counts.at(-1) ?? 0;
  if (total <= 0) return null;
  const rank = share * total;
  const at = counts.findIndex((count) => count >= rank);
  const [low, high] = [at > 0 ? (bounds[at - 1] ?? 0) : 0, bounds[at] ?? 0];
  if (!Number.isFinite(high)) return low;
  const [under, within] = [at > 0 ? (counts[at - 1] ?? 0) : 0, counts[at] ?? 0];
  return within === under ? high : low + ((high - low) * (rank - under)) / (within - under);
}

/** @param {string} text @returns {Labels} */
function labelsOf(text) {
  const found = [...text.matchAll(LABEL)];
  return Object.fromEntries(
    found.map(([, name = "", value = ""]) => [name, value.replace(ESCAPED, unescaped)]),
  );
}

/** @param {string} _ @param {string} letter */
function unescaped(_, letter) {
  return letter === "n" ? "\n" : letter;
}

/** @param {string} text */
function numberOf(text) {
  return text === "+Inf"
    ? Number.POSITIVE_INFINITY
    : text === "-Inf"
      ? Number.NEGATIVE_INFINITY
      : Number(text);
}
