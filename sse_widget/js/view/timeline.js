/** The timeline's part of the panel: figures, chart, legend. It works only while someone can see it. */
import { figuresOf } from "../measure/figures.js";
import { frameOf } from "../measure/frame.js";
import { Chart } from "./chart.js";
import { element } from "./element.js";
import { Legend } from "./legend.js";
import { Strip } from "./strip.js";

/** @typedef {import("../measure/recording.js").Recording} Recording */
/** @typedef {import("../reading.js").Reading} Reading */
/** @typedef {import("./words.js").Words} Words */
/**
 * @typedef {object} TimelineOptions
 * @property {Recording} recording
 * @property {Reading} reading
 * @property {Words} words
 * @property {"rtl" | "ltr"} dir
 * @property {AbortSignal} signal
 */

const FIGURES_EVERY_MS = 250;
/** Drawing takes at most this share of the time, however slow the machine is. */
const SHARE = 0.1;

/** Draws at most once a frame, and only what is new; while nothing comes, four times a second; when it is over, never. */
export class Timeline {
  #root;
  #options;
  #strip;
  #legend;
  #box;
  #chart;
  #note;
  #open = true;
  #seen = true;
  #figuresMs = Number.NEGATIVE_INFINITY;
  #restMs = 0;
  /** @type {number | null} */
  #frame = null;
  /** @type {ReturnType<typeof setTimeout> | null} */
  #timer = null;

  /** @param {HTMLElement} root is in the page and visible @param {TimelineOptions} options */
  constructor(root, options) {
    const { words, reading, dir, signal } = options;
    this.#root = root;
    this.#options = options;
    this.#strip = new Strip(words, signal);
    this.#legend = new Legend(words.marks, () => this.#chart.theme(this.#legend.colours), signal);
    this.#box = element("div", { className: "ssew-chart", role: "img", "aria-label": words.waiting });
    this.#note = element("p", { className: "ssew-why", hidden: true }, words.byKernel);
    root.replaceChildren(this.#strip.element, this.#box, this.#legend.element, this.#note);
    this.#chart = new Chart(this.#box, this.#box.clientWidth || 320, this.#legend.colours, {
      seconds: words.seconds,
      rtl: dir === "rtl",
      font: `11px ${getComputedStyle(this.#box).fontFamily}`,
    });
    const wake = () => this.#wake();
    reading.listen(
      { begin: wake, text: wake, shown: wake, clear: wake, standing: wake, event: wake, transport: wake },
      signal,
    );
    document.addEventListener("visibilitychange", wake, { signal });
    this.#watch(signal);
    signal.addEventListener("abort", () => this.#end());
    wake();
  }

  /** @param {boolean} open */
  open(open) {
    this.#open = open;
    this.#restMs = 0;
    this.#wake();
  }

  /** @param {AbortSignal} signal */
  #watch(signal) {
    const size = new ResizeObserver(() => this.#fit());
    const sight = new IntersectionObserver((entries) => {
      this.#seen = entries.at(-1)?.isIntersecting ?? true;
      this.#wake();
    });
    size.observe(this.#box);
    sight.observe(this.#root);
    signal.addEventListener("abort", () => {
      size.disconnect();
      sight.disconnect();
    });
  }

  #fit() {
    const { clientWidth } = this.#box;
    if (!clientWidth) return;
    this.#chart.resize(clientWidth);
    this.#chart.theme(this.#legend.colours);
    this.#wake();
  }

  get #visible() {
    return this.#open && this.#seen && !document.hidden && !this.#options.signal.aborted;
  }

  #wake() {
    if (!this.#visible || this.#frame !== null) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#frame = requestAnimationFrame((nowMs) => this.#onFrame(nowMs));
  }

  /** @param {number} nowMs */
  #onFrame(nowMs) {
    this.#frame = null;
    if (!this.#visible) return;
    const { recording } = this.#options;
    if (nowMs < this.#restMs) return this.#wakeIn(this.#restMs - nowMs);
    const began = performance.now();
    this.#draw(nowMs);
    this.#restMs = nowMs + (performance.now() - began) / SHARE;
    if (recording.live) this.#wakeIn(FIGURES_EVERY_MS);
  }

  /** @param {number} ms */
  #wakeIn(ms) {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#wake();
    }, ms);
  }

  /** @param {number} nowMs */
  #draw(nowMs) {
    const { recording } = this.#options;
    this.#chart.draw(frameOf(recording, this.#chart.columns));
    if (recording.live && nowMs - this.#figuresMs < FIGURES_EVERY_MS) return;
    this.#figuresMs = nowMs;
    this.#say();
  }

  #say() {
    const { recording, reading, words } = this.#options;
    const figures = figuresOf(recording, performance.now());
    const stalls = recording.stalls.length + (recording.stall ? 1 : 0);
    this.#strip.show(figures, reading);
    this.#legend.show({ ping: recording.pings, cut: recording.cuts, stall: stalls });
    this.#note.hidden = reading.transport !== "relay";
    const label = recording.live ? words.running : told(recording, stalls, words);
    if (this.#box.getAttribute("aria-label") !== label) this.#box.setAttribute("aria-label", label);
  }

  #end() {
    if (this.#frame !== null) cancelAnimationFrame(this.#frame);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#chart.destroy();
  }
}

/** @param {Recording} recording @param {number} stalls @param {Words} words */
function told(recording, stalls, words) {
  const { askedMs, delivered, displayed, cuts, pings } = recording;
  if (askedMs === null) return words.waiting;
  const since = (/** @type {number | undefined} */ ms) =>
    Number((((ms ?? askedMs) - askedMs) / 1000).toFixed(1));
  return words.story({
    chars: delivered.last?.total ?? 0,
    deliveredS: since(delivered.last?.atMs),
    displayedS: since(displayed.last?.atMs),
    cuts,
    pings,
    stalls,
  });
}
