/** One chart of the dashboard in its card: title, legend with the newest values, the lines. */
import { element } from "../view/element.js";
import { LiveChart } from "../view/live_chart.js";

/** @typedef {import("./charts.js").ChartSpec} ChartSpec */
/** @typedef {import("./dashboard_words.js").DashboardWords} Words */
/** @typedef {import("../measure/history.js").History} History */

const NONE = "–";
/** Room above the highest line. */
const HEADROOM = 1.15;

export class ChartCard {
  #spec;
  #words;
  #legend;
  #box = element("div", { className: "dash-chart", role: "img" });
  #none;
  #said = element("p", { className: "dash-words" });
  /** @type {{swatch: HTMLElement, value: HTMLElement}[]} */
  #items = [];
  /** @type {LiveChart | null} */
  #chart = null;

  /** @param {ChartSpec} spec @param {Words} words */
  constructor(spec, words) {
    const { title, lines } = words.charts_of[spec.name];
    this.#spec = spec;
    this.#words = words;
    this.#none = element("p", { className: "dash-none", "aria-hidden": "true" }, words.nothing);
    this.#legend = element("ul", { className: "dash-legend" });
    for (const line of lines) {
      const swatch = element("span", { className: "dash-swatch", "aria-hidden": "true" });
      const value = element("b", {}, NONE);
      this.#items.push({ swatch, value });
      this.#legend.append(element("li", {}, swatch, line, value));
    }
    this.#box.append(this.#none);
    const heading = element("h2", {}, title);
    this.element = element(
      "section",
      { className: "dash-card" },
      heading,
      this.#legend,
      this.#box,
      this.#said,
    );
    this.element.setAttribute("data-chart", spec.name);
  }

  /** Draws for the first time; the card is in the page. @param {boolean} rtl @param {AbortSignal} signal */
  place(rtl, signal) {
    const { units, now, minutes } = this.#words;
    this.#chart = new LiveChart(this.#box, this.#box.clientWidth, this.#colours, {
      rtl,
      font: `11px ${getComputedStyle(this.#box).fontFamily}`,
      ticks: (values) => values.map((value) => this.#spec.format(value, units)),
      minutes: (s) => (s === 0 ? now : minutes(Math.round(-s / 60))),
    });
    const size = new ResizeObserver(
      () => this.#box.clientWidth && this.#chart?.resize(this.#box.clientWidth),
    );
    size.observe(this.#box);
    signal.addEventListener("abort", () => size.disconnect());
    // A transition is the one sign of a new theme that is the same for every cause of one.
    this.#legend.addEventListener("transitionend", () => this.#chart?.theme(this.#colours), { signal });
  }

  /** @param {History} history @param {number} nowMs @param {string} said words below the chart */
  show(history, nowMs, said) {
    const lines = this.#spec.lines(history);
    const highest = Math.max(0, ...lines.flat().map((value) => value ?? 0));
    this.#none.hidden = lines.flat().some((value) => value !== null);
    this.#chart?.draw({
      timesS: history.timesMs.map((atMs) => (atMs - nowMs) / 1000),
      lines,
      most: Math.max(this.#spec.least, highest * HEADROOM),
    });
    this.#items.forEach(({ value }, at) => {
      const last = lines[at]?.at(-1) ?? null;
      write(value, last === null ? NONE : this.#spec.format(last, this.#words.units));
    });
    write(this.#said, said);
    this.#box.setAttribute("aria-label", this.#told());
  }

  /** The chart in words, for those who do not see it. */
  #told() {
    const { title, lines } = this.#words.charts_of[this.#spec.name];
    return `${title}: ${lines.map((line, at) => `${line} ${this.#items[at]?.value.textContent}`).join(", ")}`;
  }

  get #colours() {
    return {
      lines: this.#items.map(({ swatch }) => getComputedStyle(swatch).color),
      ink: getComputedStyle(this.#legend).color,
    };
  }
}

/** Writes only what is new, so that nothing is laid out for nothing. @param {HTMLElement} node @param {string} text */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
