/** The dot before the status line: its colour is the state, and it beats with whatever arrives. */

const LEAST_GAP_MS = 700;
const BEAT = [
  { boxShadow: "0 0 0 0 color-mix(in srgb, currentColor 45%, transparent)" },
  { boxShadow: "0 0 0 6px transparent" },
];

/** Beats at most every 0.7 s, and not at all for readers who ask for less motion. */
export class Heartbeat {
  #element;
  #reading;
  #words;
  #beatenMs = Number.NEGATIVE_INFINITY;

  /**
   * @param {HTMLElement} element
   * @param {import("../reading.js").Reading} reading
   * @param {import("./words.js").Words} words
   * @param {AbortSignal} signal
   */
  constructor(element, reading, words, signal) {
    this.#element = element;
    this.#reading = reading;
    this.#words = words;
    const timer = setInterval(() => this.#label(), 1000);
    signal.addEventListener("abort", () => clearInterval(timer));
    this.#label();
  }

  /** Something arrived. */
  beat() {
    const nowMs = performance.now();
    if (nowMs - this.#beatenMs < LEAST_GAP_MS) return;
    this.#beatenMs = nowMs;
    this.#label();
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.#element.animate(BEAT, { duration: 650, easing: "ease-out" });
    }
  }

  #label() {
    const { live, beatMs } = this.#reading;
    const seconds = Math.floor((performance.now() - beatMs) / 1000);
    const label = live && beatMs ? this.#words.beat(seconds) : this.#words.quiet;
    if (this.#element.title !== label) this.#element.title = label;
  }
}
