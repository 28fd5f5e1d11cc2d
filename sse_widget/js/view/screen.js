/** When what stands in the page is on the screen. */

/** @typedef {(atMs: number | null) => void} Seen null: nobody can know, since nothing is drawn */
/** @typedef {{frameMs: number, drawnMs: number | null, calls: Set<Seen>}} Watch of one frame */

/** A frame of a screen that draws 60 of them a second, until frames say otherwise. */
const FRAME_MS = 1000 / 60;
/** No screen is so fast; what lies closer together is one frame. */
const LEAST_FRAME_MS = 2;

/**
 * Tells when a frame was shown, in ms of `performance.now()`.
 *
 * No API says when a growing text was drawn: Element Timing reports the first paint of an element alone, Long Animation
 * Frames only frames of more than 50 ms. But a frame is shown with the screen's next beat once its drawing is done, and
 * the time that `requestAnimationFrame` hands to the frame after it is such a beat. When drawing took longer than that,
 * which a timer tells that is set within the frame and due after it, the first beat after its end is taken. (A message
 * through a channel tells the same and costs the page ten times as much.)
 *
 * Against a screencast of a blinking square, Chromium 156 without a head (tests/accept/test_screen.py): 0.1 ms off at the
 * median, 17 ms, one frame, at the 95th percentile; with frames that are busy for 80 ms, the same. Of typed text 0.1 ms at
 * every percentile. A real screen adds its own delay, which no page can know. It was not measured in Firefox, which rounds
 * times to 1 ms.
 */
export class Screen {
  #window;
  #now;
  #frameMs = FRAME_MS;
  /** @type {Watch | null} of the latest frame that is watched */
  #watch = null;
  /** @type {Set<Seen>} */
  #pending = new Set();

  /** @param {Window & typeof globalThis} window @param {AbortSignal} signal */
  constructor(window, signal) {
    this.#window = window;
    this.#now = () => window.performance.now();
    const { document } = window;
    document.addEventListener("visibilitychange", () => document.hidden && this.#blind(), { signal });
    signal.addEventListener("abort", () => this.#blind());
  }

  /**
   * @param {boolean} framed whether this is called in a frame that has not been drawn yet, and shows it
   * @param {Seen} call hears once when what stands in the page now was shown; null in a hidden tab, also when it becomes
   *   hidden before
   */
  show(framed, call) {
    if (this.#window.document.hidden) return call(null);
    this.#pending.add(call);
    if (framed) this.#join(call);
    else this.#window.requestAnimationFrame(() => this.#join(call));
  }

  /** @param {Seen} call in the frame that is under way */
  #join(call) {
    const frameMs = Number(this.#window.document.timeline.currentTime);
    if (this.#watch?.frameMs !== frameMs) this.#watch = this.#begin(frameMs);
    this.#watch.calls.add(call);
  }

  /** @param {number} frameMs @returns {Watch} */
  #begin(frameMs) {
    /** @type {Watch} */
    const watch = { frameMs, drawnMs: null, calls: new Set() };
    this.#window.setTimeout(() => {
      watch.drawnMs = this.#now();
    });
    this.#window.requestAnimationFrame((nextMs) => this.#end(watch, nextMs));
    return watch;
  }

  /** @param {Watch} watch @param {number} nextMs */
  #end(watch, nextMs) {
    const { frameMs, drawnMs, calls } = watch;
    if (nextMs - frameMs >= LEAST_FRAME_MS) this.#frameMs = Math.min(this.#frameMs, nextMs - frameMs);
    const beats = Math.max(0, Math.ceil(((drawnMs ?? nextMs) - nextMs) / this.#frameMs));
    for (const call of calls) if (this.#pending.delete(call)) call(nextMs + beats * this.#frameMs);
  }

  #blind() {
    const calls = [...this.#pending];
    this.#pending.clear();
    for (const call of calls) call(null);
  }
}
