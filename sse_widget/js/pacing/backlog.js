/**
 * Text that was received and is not shown yet, as grapheme clusters. Pure: the segmenter is an argument;
 * the twin of pacing/backlog.py.
 */
import { CLAUSE, kindOf, LETTER, SENTENCE } from "./punctuation.js";
import { Queue } from "./queue.js";

/**
 * Text to its grapheme clusters (UAX 29), joined the same text.
 *
 * @typedef {(text: string) => string[]} Segment
 */
/**
 * What waits of the deltas of one millisecond: how many clusters of each kind, and when they came.
 *
 * @typedef {{arrivalMs: number, counts: [number, number, number]}} Delta
 */
/** @typedef {readonly [number, number, number]} Weights the time of one cluster of each kind, in ms */

/** Code points up to which a cluster may be extended, so that endless combining marks cost linear time. */
export const MAX_CLUSTER = 64;

/**
 * The unhurried time that showing a delta takes.
 *
 * @param {Delta} delta
 * @param {Weights} weightsMs
 */
export function costMs({ counts }, weightsMs) {
  return (
    counts[LETTER] * weightsMs[LETTER] +
    counts[CLAUSE] * weightsMs[CLAUSE] +
    counts[SENTENCE] * weightsMs[SENTENCE]
  );
}

/**
 * A queue of clusters in the order of the text.
 *
 * The last cluster may still grow by the next delta. Text is segmented once, from that cluster on: starting
 * at a cluster boundary gives the boundaries of the whole text, since no rule of UAX 29 looks further back.
 */
export class Backlog {
  /** @type {Queue<Delta>} */
  deltas = new Queue();
  ended = false;
  /** @type {Queue<string>} */
  #clusters = new Queue();
  #segment;
  // The last cluster of the text, shown or not; empty when nothing may extend it.
  #tail = "";
  // Half a surrogate pair at the end of the text: no character yet, so it joins what follows.
  #half = "";
  #extension = "";
  #extensionMs = 0;

  /** @param {Segment} segment */
  constructor(segment) {
    this.#segment = segment;
  }

  /** How many clusters wait. */
  get length() {
    return this.#clusters.length;
  }

  /** Whether the last cluster waits for the delta that may extend it. */
  get held() {
    return this.#clusters.length > 0 && this.#tail !== "" && !this.ended;
  }

  /** What a delta added to a cluster that was on show already. */
  get extension() {
    return this.#extension;
  }

  /** @returns {number | null} when the oldest waiting text came, null when nothing waits */
  get oldestMs() {
    if (this.#extension) return this.#extensionMs;
    return this.deltas.length > 0 ? this.deltas.at(0).arrivalMs : null;
  }

  /**
   * Takes one delta. Costs O(text.length).
   *
   * @param {string} text
   * @param {number} nowMs never goes back
   */
  add(text, nowMs) {
    this.ended = false;
    const whole = this.#half + text;
    this.#half = isHighSurrogate(whole.charCodeAt(whole.length - 1)) ? whole.slice(-1) : "";
    this.#addWhole(this.#half ? whole.slice(0, -1) : whole, nowMs);
  }

  /**
   * No delta follows.
   *
   * @param {number} nowMs
   */
  finish(nowMs) {
    this.#addWhole(this.#half, nowMs);
    this.#half = "";
    this.ended = true;
  }

  /** @returns {[string, import("./punctuation.js").Kind]} the next cluster and its kind */
  take() {
    const cluster = this.#clusters.shift();
    const kind = kindOf(cluster);
    const { counts } = this.deltas.at(0);
    counts[kind] -= 1;
    if (!counts[LETTER] && !counts[CLAUSE] && !counts[SENTENCE]) this.deltas.shift();
    return [cluster, kind];
  }

  /** @returns {string} what a delta added to the cluster on show, usually nothing */
  takeExtension() {
    const extension = this.#extension;
    this.#extension = "";
    return extension;
  }

  /** @returns {string} all whole characters that wait */
  flush() {
    const text = this.takeExtension() + this.#clusters.drain().join("");
    this.deltas.drain();
    return text;
  }

  /**
   * @param {string} text
   * @param {number} nowMs
   */
  #addWhole(text, nowMs) {
    if (!text) return;
    const clusters = this.#segment(this.#tail + text);
    const last = clusters.at(-1) ?? "";
    if (this.#tail) {
      const grown = clusters.shift() ?? "";
      if (this.#clusters.length > 0) this.#clusters.replaceLast(grown);
      else this.#extend(grown.slice(this.#tail.length), nowMs);
    }
    if (clusters.length > 0) this.#push(clusters, nowMs);
    this.#tail = isShort(last) ? last : "";
  }

  /**
   * @param {string} extension
   * @param {number} nowMs
   */
  #extend(extension, nowMs) {
    if (extension && !this.#extension) this.#extensionMs = nowMs;
    this.#extension += extension;
  }

  /**
   * @param {string[]} clusters
   * @param {number} nowMs
   */
  #push(clusters, nowMs) {
    // One delta a millisecond bounds the work of a take, however small the deltas are.
    if (!this.deltas.length || Math.floor(this.deltas.last().arrivalMs) !== Math.floor(nowMs)) {
      this.deltas.push({ arrivalMs: nowMs, counts: [0, 0, 0] });
    }
    const { counts } = this.deltas.last();
    for (const cluster of clusters) {
      counts[kindOf(cluster)] += 1;
      this.#clusters.push(cluster);
    }
  }
}

/** @param {number} unit */
function isHighSurrogate(unit) {
  return unit >= 0xd800 && unit <= 0xdbff;
}

/** @param {string} cluster */
function isShort(cluster) {
  if (cluster.length <= MAX_CLUSTER) return true;
  return cluster.length <= 2 * MAX_CLUSTER && Array.from(cluster).length <= MAX_CLUSTER;
}
