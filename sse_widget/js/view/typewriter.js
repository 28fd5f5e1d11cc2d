/**
 * Received text, typed into an element frame by frame. Shell around pacing/typewriter.js: it knows the
 * clock, frames, the tab's visibility and the reader's wish for less motion, and nothing of pace.
 */
import { pacerOptions } from "../pacing/pace.js";
import { Pacer } from "../pacing/typewriter.js";
import { segmentGraphemes } from "./graphemes.js";
import { TextView } from "./text.js";

/** @typedef {import("../pacing/pace.js").PacerOptions} PacerOptions */
/**
 * The parts of the browser that the typewriter uses.
 *
 * @typedef {object} Platform
 * @property {(callback: () => void) => number} requestFrame
 * @property {(id: number) => void} cancelFrame
 * @property {() => number} now in ms
 * @property {Document} document whose visibility counts
 * @property {(query: string) => MediaQueryList} matchMedia
 * @property {import("../pacing/typewriter.js").Segment} segment
 */
/**
 * What is on show after a frame: UTF-16 units of all text shown, how long the oldest text of this frame had
 * waited, the time, and whether the frame under way paints it.
 *
 * @typedef {{shown: number, lagMs: number, nowMs: number, framed: boolean}} Paint
 */
/**
 * What text is shown by: TextView, or another with its calls. `finish` is for one that holds text back.
 *
 * @typedef {object} View
 * @property {string} text all that was appended
 * @property {(text: string) => void} append
 * @property {() => void} clear
 * @property {() => void} [finish] no more text comes
 * @property {boolean} [waiting] whether some of it is put into the page only with the next frame
 */
/** @typedef {Partial<PacerOptions & Platform> & {signal?: AbortSignal, view?: View}} TypewriterOptions */

const REDUCED_MOTION = "(prefers-reduced-motion: reduce)";

/**
 * Types appended text into an element, never more than `maxLagMs` behind (design.md section 6).
 *
 * Text is shown at once where typing helps nobody: in a hidden tab, which has no frames, and for readers
 * who ask for reduced motion. After `destroy()`, or when `signal` aborts, too: no text is lost, and no
 * listener or frame remains.
 */
export class AdaptiveTypewriter {
  #platform;
  #pacer;
  /** @type {View} */
  #view;
  #motion;
  #end = new AbortController();
  #finished = deferred();
  /** @type {number | null} */
  #frame = null;
  #shown = 0;
  /** Whether a frame is under way, which paints what is put into the page. */
  #framed = false;
  /** @type {((paint: Paint) => void) | null} */
  #painted = null;

  /**
   * @param {Element} element the typewriter's own from now on; shown in it by `view`, or as plain text
   * @param {TypewriterOptions} [options]
   * @throws {RangeError | TypeError} an option is out of range, or unknown
   */
  constructor(element, { signal, view, ...options } = {}) {
    const { platform, pace } = divided(options, element);
    this.#platform = platform;
    this.#pacer = new Pacer(pacerOptions(pace), platform.segment);
    this.#view = view ?? new TextView(element);
    this.#motion = platform.matchMedia(REDUCED_MOTION);
    // A hidden tab has no frames to notice it in; a change of #motion is seen in the next frame.
    const onVisibility = () => this.#wake();
    platform.document.addEventListener("visibilitychange", onVisibility, { signal: this.#end.signal });
    signal?.addEventListener("abort", () => this.destroy(), { signal: this.#end.signal });
    if (signal?.aborted) this.destroy();
  }

  /** The options of pace in force. */
  get options() {
    return this.#pacer.options;
  }

  /** All text on show. */
  get text() {
    return this.#view.text;
  }

  /** Resolves when all text is on show after `finish()`, and when there will be none: `clear()`, `destroy()`. */
  get finished() {
    return this.#finished.promise;
  }

  /** @param {string} text a delta; after `finish()` it goes on, with a new `finished` */
  append(text) {
    if (this.#pacer.ended && text) this.#finished = deferred(this.#finished);
    this.#pacer.append(text, this.#platform.now());
    this.#wake();
  }

  /** No text follows: the rest is shown within `maxLagMs`. */
  finish() {
    this.#pacer.finish(this.#platform.now());
    this.#wake();
  }

  /** Shows all text now. */
  flush() {
    const { oldestMs } = this.#pacer;
    this.#show(this.#pacer.flush(), oldestMs);
    this.#settle();
  }

  /** Removes all text and begins anew. */
  clear() {
    this.#pacer.clear();
    this.#view.clear();
    this.#shown = 0;
    this.#settle();
    this.#finished = deferred(this.#finished);
  }

  /** Shows the same text by another view, whose making may clear the element. @param {() => View} make */
  change(make) {
    const { text } = this.#view;
    this.#view = make();
    this.#view.append(text);
    if (this.#pacer.ended && this.#pacer.idle) this.#view.finish?.();
  }

  /**
   * Changes options of pace while text runs.
   *
   * @param {Partial<PacerOptions>} changes
   * @throws {RangeError | TypeError} an option is out of range, or unknown; nothing is changed then
   */
  update(changes) {
    this.#pacer.update(pacerOptions(changes, this.#pacer.options));
  }

  /**
   * Calls back after each change of the text on show, before the browser paints it.
   *
   * @param {(paint: Paint) => void} callback replaces the one before
   * @returns {this}
   */
  onPaint(callback) {
    this.#painted = callback;
    return this;
  }

  /** Lets go of the document: shows what waits, and ends all listeners and frames. */
  destroy() {
    this.#end.abort();
    this.flush();
    this.#finished.resolve();
  }

  get #atOnce() {
    return this.#end.signal.aborted || this.#platform.document.hidden || this.#motion.matches;
  }

  #wake() {
    if (this.#atOnce) this.flush();
    else if (this.#pacer.idle) this.#settle();
    else this.#frame ??= this.#platform.requestFrame(() => this.#onFrame());
  }

  #onFrame() {
    this.#frame = null;
    const { oldestMs } = this.#pacer;
    try {
      this.#framed = true;
      this.#show(this.#pacer.take(this.#platform.now()), oldestMs);
    } finally {
      this.#framed = false;
      this.#wake();
    }
  }

  /**
   * @param {string} text
   * @param {number | null} oldestMs
   */
  #show(text, oldestMs) {
    if (!text) return;
    this.#view.append(text);
    this.#shown += text.length;
    const nowMs = this.#platform.now();
    const framed = this.#framed && !this.#view.waiting;
    this.#painted?.({ shown: this.#shown, lagMs: oldestMs === null ? 0 : nowMs - oldestMs, nowMs, framed });
  }

  /** Nothing waits: no frame is needed, and a text that has ended is finished. */
  #settle() {
    if (this.#frame !== null) this.#platform.cancelFrame(this.#frame);
    this.#frame = null;
    if (!this.#pacer.ended) return;
    this.#view.finish?.();
    this.#finished.resolve();
  }
}

/**
 * @param {Partial<PacerOptions & Platform>} options
 * @param {Element} element
 * @returns {{platform: Platform, pace: Partial<PacerOptions>}}
 */
function divided({ requestFrame, cancelFrame, now, document, matchMedia, segment, ...pace }, element) {
  const own = document ?? element.ownerDocument;
  const view = own.defaultView ?? globalThis;
  const platform = {
    requestFrame: requestFrame ?? ((callback) => view.requestAnimationFrame(callback)),
    cancelFrame: cancelFrame ?? ((id) => view.cancelAnimationFrame(id)),
    now: now ?? (() => view.performance.now()),
    document: own,
    matchMedia: matchMedia ?? ((query) => view.matchMedia(query)),
    segment: segment ?? segmentGraphemes,
  };
  return { platform, pace };
}

/**
 * A promise and its resolver. One that replaces another resolves it, so that nobody waits for ever.
 *
 * @param {{resolve: () => void}} [previous]
 */
function deferred(previous) {
  previous?.resolve();
  /** @type {() => void} */
  let resolve = () => undefined;
  /** @type {Promise<void>} */
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
