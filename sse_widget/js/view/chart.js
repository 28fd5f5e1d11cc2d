/** The timeline's chart: uPlot with lines for delivered and displayed text, and marks around them. */
import uPlot from "uplot";

/** @typedef {import("../measure/frame.js").Frame} Frame */
/** @typedef {import("../measure/frame.js").Stretch} Stretch */
/** @typedef {Record<"delivered" | "displayed" | "ping" | "cut" | "outage" | "stall" | "ink", string>} Colours */
/** @typedef {{seconds: string, rtl: boolean, font: string}} Style */

const HEIGHT_PX = 176;
const HATCH_PX = 6;
const { stepped, linear } = /** @type {Required<uPlot.Series.PathBuilderFactories>} */ (uPlot.paths);
/** @type {Frame} */
const NOTHING = {
  timesS: [0, 1],
  delivered: [0, 0],
  displayed: [0, 0],
  endS: 5,
  mostChars: 50,
  pingsS: [],
  outages: [],
  stalls: [],
};

/** Draws frames. In a page that runs from right to left time does so too. */
export class Chart {
  #plot;
  #colours;
  #frame = NOTHING;

  /** @param {HTMLElement} element @param {number} widthPx @param {Colours} colours @param {Style} style */
  constructor(element, widthPx, colours, style) {
    this.#colours = colours;
    this.#plot = new uPlot(this.#options(widthPx, style), dataOf(NOTHING), element);
  }

  /** How many columns are worth drawing. */
  get columns() {
    return Math.max(2, Math.round(this.#plot.bbox.width / uPlot.pxRatio / 2));
  }

  /** @param {Frame} frame */
  draw(frame) {
    this.#frame = frame;
    this.#plot.setData(dataOf(frame));
  }

  /** @param {Colours} colours */
  theme(colours) {
    this.#colours = colours;
    this.#plot.redraw(false, false);
  }

  /** @param {number} widthPx */
  resize(widthPx) {
    if (widthPx !== this.#plot.width) this.#plot.setSize({ width: widthPx, height: HEIGHT_PX });
  }

  destroy() {
    this.#plot.destroy();
  }

  /** @param {number} width @param {Style} style @returns {uPlot.Options} */
  #options(width, { seconds, rtl, font }) {
    const ink = () => this.#colours.ink;
    const axis = {
      stroke: ink,
      font,
      grid: { stroke: () => faint(this.#colours.ink), width: 1 },
      ticks: { show: false },
    };
    return {
      width,
      height: HEIGHT_PX,
      padding: [8, 14, 0, 14],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: false, dir: rtl ? -1 : 1, range: () => [0, this.#frame.endS] },
        y: { range: () => [0, this.#frame.mostChars] },
      },
      axes: [
        {
          ...axis,
          size: 26,
          gap: 6,
          space: 64,
          values: (_, values) => values.map((value) => `${value} ${seconds}`),
        },
        {
          ...axis,
          size: 44,
          gap: 6,
          space: 36,
          side: rtl ? 1 : 3,
          // The same digits as on every other figure, whatever the browser's language.
          values: (_, values) => values.map((value) => value.toLocaleString("en")),
        },
      ],
      series: [
        {},
        {
          stroke: () => this.#colours.delivered,
          width: 1.5,
          points: { show: false },
          paths: stepped({ align: 1 }),
        },
        { stroke: () => this.#colours.displayed, width: 2, points: { show: false }, paths: linear() },
      ],
      bands: [{ series: [1, 2], fill: () => faint(this.#colours.delivered) }],
      hooks: { drawAxes: [(plot) => this.#behind(plot)], draw: [(plot) => this.#before(plot)] },
    };
  }

  /** @param {uPlot} plot */
  #behind(plot) {
    const { ctx } = plot;
    ctx.save();
    for (const stretch of this.#frame.stalls) {
      ctx.fillStyle = this.#colours.stall;
      ctx.fill(box(plot, stretch));
    }
    for (const stretch of this.#frame.outages) hatch(plot, stretch, this.#colours.outage);
    ctx.restore();
  }

  /** @param {uPlot} plot */
  #before(plot) {
    const { ctx } = plot;
    const { top, height } = plot.bbox;
    const px = uPlot.pxRatio;
    ctx.save();
    ctx.lineWidth = 1.5 * px;
    ctx.strokeStyle = this.#colours.ping;
    line(plot, this.#frame.pingsS, top + height - 9 * px, top + height);
    ctx.strokeStyle = this.#colours.cut;
    ctx.setLineDash([4 * px, 3 * px]);
    const cutsS = this.#frame.outages.map(({ fromS }) => fromS);
    line(plot, cutsS, top, top + height);
    ctx.setLineDash([]);
    for (const cutS of cutsS) cross(ctx, plot.valToPos(cutS, "x", true), top + 5 * px, 3.5 * px);
    ctx.restore();
  }
}

/** @param {Frame} frame */
function dataOf({ timesS, delivered, displayed }) {
  return /** @type {uPlot.AlignedData} */ (/** @type {unknown} */ ([timesS, delivered, displayed]));
}

/** @param {string} colour */
function faint(colour) {
  return `color-mix(in srgb, ${colour} 16%, transparent)`;
}

/** @param {uPlot} plot @param {Stretch} stretch */
function box(plot, { fromS, untilS }) {
  const [one, other] = [plot.valToPos(fromS, "x", true), plot.valToPos(untilS, "x", true)];
  const path = new Path2D();
  path.rect(Math.min(one, other), plot.bbox.top, Math.max(1, Math.abs(other - one)), plot.bbox.height);
  return path;
}

/** @param {uPlot} plot @param {Stretch} stretch @param {string} colour */
function hatch(plot, stretch, colour) {
  const { ctx, bbox } = plot;
  const step = HATCH_PX * uPlot.pxRatio;
  const path = new Path2D();
  for (let x = bbox.left - bbox.height; x < bbox.left + bbox.width; x += step) {
    path.moveTo(x, bbox.top + bbox.height);
    path.lineTo(x + bbox.height, bbox.top);
  }
  ctx.save();
  ctx.clip(box(plot, stretch));
  ctx.strokeStyle = colour;
  ctx.lineWidth = uPlot.pxRatio;
  ctx.stroke(path);
  ctx.restore();
}

/** Upright lines. @param {uPlot} plot @param {readonly number[]} timesS @param {number} from @param {number} to */
function line(plot, timesS, from, to) {
  const path = new Path2D();
  for (const timeS of timesS) {
    const x = plot.valToPos(timeS, "x", true);
    path.moveTo(x, from);
    path.lineTo(x, to);
  }
  plot.ctx.stroke(path);
}

/** @param {CanvasRenderingContext2D} ctx @param {number} x @param {number} y @param {number} half */
function cross(ctx, x, y, half) {
  const path = new Path2D();
  path.moveTo(x - half, y - half);
  path.lineTo(x + half, y + half);
  path.moveTo(x + half, y - half);
  path.lineTo(x - half, y + half);
  ctx.stroke(path);
}
