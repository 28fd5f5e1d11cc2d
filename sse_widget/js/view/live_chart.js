/** A chart of the last minutes: up to three lines over time, which ends now. */
import uPlot from "uplot";

/** @typedef {{rtl: boolean, font: string, ticks: (values: readonly number[]) => string[], minutes: (s: number) => string}} LiveStyle */
/** @typedef {{timesS: readonly number[], lines: readonly (readonly (number | null)[])[], most: number}} LiveFrame times are seconds before now, as negative numbers */
/** @typedef {{lines: readonly string[], ink: string}} LiveColours */

const HEIGHT_PX = 132;
const WINDOW_S = 180;
/** Lines are told apart without colours too. */
const DASHES = [[], [6, 3], [2, 3]];

/** Draws frames. In a page that runs from right to left time does so too. */
export class LiveChart {
  #plot;
  #colours;
  #most = 1;

  /** @param {HTMLElement} element @param {number} widthPx @param {LiveColours} colours @param {LiveStyle} style */
  constructor(element, widthPx, colours, style) {
    this.#colours = colours;
    const nothing = /** @type {uPlot.AlignedData} */ ([[], ...colours.lines.map(() => [])]);
    this.#plot = new uPlot(this.#options(widthPx, style), nothing, element);
  }

  /** @param {LiveFrame} frame */
  draw({ timesS, lines, most }) {
    this.#most = most;
    this.#plot.setData(/** @type {uPlot.AlignedData} */ (/** @type {unknown} */ ([timesS, ...lines])));
  }

  /** @param {LiveColours} colours */
  theme(colours) {
    this.#colours = colours;
    this.#plot.redraw(false, false);
  }

  /** @param {number} widthPx */
  resize(widthPx) {
    if (widthPx !== this.#plot.width) this.#plot.setSize({ width: widthPx, height: HEIGHT_PX });
  }

  /** @param {number} width @param {LiveStyle} style @returns {uPlot.Options} */
  #options(width, { rtl, font, ticks, minutes }) {
    const axis = {
      stroke: () => this.#colours.ink,
      font,
      grid: { stroke: () => `color-mix(in srgb, ${this.#colours.ink} 16%, transparent)`, width: 1 },
      ticks: { show: false },
    };
    return {
      width,
      height: HEIGHT_PX,
      padding: [8, rtl ? 0 : 16, 0, rtl ? 24 : 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: false, dir: rtl ? -1 : 1, range: () => [-WINDOW_S, 0] },
        y: { range: () => [0, this.#most] },
      },
      axes: [
        { ...axis, size: 24, gap: 6, splits: () => [-180, -120, -60, 0], values: (_, at) => at.map(minutes) },
        { ...axis, size: 66, gap: 6, space: 30, side: rtl ? 1 : 3, values: (_, values) => ticks(values) },
      ],
      series: [
        {},
        ...this.#colours.lines.map((_, at) => ({
          stroke: () => this.#colours.lines[at] ?? this.#colours.ink,
          width: 2,
          dash: DASHES[at] ?? [],
          points: { show: false },
        })),
      ],
    };
  }
}
