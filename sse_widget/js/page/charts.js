/** What the dashboard's charts show of a server's metrics, and how their values are written. */
import { size } from "../view/amounts.js";

/** @typedef {import("../measure/history.js").History} History */
/** @typedef {import("../measure/history.js").Values} Values */
/** @typedef {import("./dashboard_words.js").DashboardWords} Words */
/** @typedef {keyof Words["charts_of"]} Name */
/** @typedef {(value: number, units: Words["units"]) => string} Format */
/** @typedef {{name: Name, format: Format, least: number, lines: (history: History) => Values[]}} ChartSpec `least` is the least that the axis reaches to */

/** Rare things are counted over so long a time: one a minute would be a needle. */
const RARE_MS = 10_000;
const isolated = (/** @type {string} */ text) => `\u2066${text}\u2069`;
const short = (/** @type {number} */ value) =>
  value >= 100 ? value.toFixed(0) : String(Number(value.toFixed(value < 10 ? 2 : 1)));

/** @type {Record<"count" | "time" | "bytes" | "perSecond" | "perMinute" | "bytesPerSecond" | "percent", Format>} */
export const FORMATS = {
  count: (value) => short(value),
  time: (value, { s, ms }) => isolated(value < 1 ? `${short(1000 * value)} ${ms}` : `${short(value)} ${s}`),
  bytes: (value, { bytes }) => size(value, bytes),
  perSecond: (value, { perSecond }) => isolated(`${short(value)}${perSecond}`),
  perMinute: (value, { perMinute }) => isolated(`${short(value)}${perMinute}`),
  bytesPerSecond: (value, { bytes, perSecond }) => isolated(`${size(value, bytes)}${perSecond}`),
  percent: (value, { percent }) => isolated(`${short(value)} ${percent}`),
};

/** @param {History} history @param {...string} names @returns {Values[]} by the minute */
function rare(history, ...names) {
  return names.map((name) => scaled(history.rates(name, {}, RARE_MS), 60));
}

/** @param {Values} values @param {number} factor @returns {Values} */
function scaled(values, factor) {
  return values.map((value) => value && value * factor);
}

/** @type {readonly ChartSpec[]} */
export const CHARTS = [
  {
    name: "connections",
    format: FORMATS.count,
    least: 4,
    lines: (history) =>
      ["sse", "websocket", "poll"].map((transport) => history.levels("sse_connections", { transport })),
  },
  { name: "runs", format: FORMATS.count, least: 4, lines: (history) => [history.levels("sse_runs")] },
  {
    name: "ttft",
    format: FORMATS.time,
    least: 0.02,
    lines: (history) =>
      [0.5, 0.95].map((share) => history.quantiles("sse_time_to_first_token_seconds", share)),
  },
  {
    name: "duration",
    format: FORMATS.time,
    least: 1,
    lines: (history) => [0.5, 0.95].map((share) => history.quantiles("sse_stream_duration_seconds", share)),
  },
  {
    name: "events",
    format: FORMATS.perSecond,
    least: 10,
    lines: (history) => [history.rates("sse_events_sent_total")],
  },
  {
    name: "bytes",
    format: FORMATS.bytesPerSecond,
    least: 1000,
    lines: (history) => [history.rates("sse_sent_bytes_total")],
  },
  {
    name: "heartbeats",
    format: FORMATS.perMinute,
    least: 10,
    lines: (history) =>
      rare(history, "sse_pings_due_total", "sse_pings_sent_total", "sse_pings_dropped_total"),
  },
  {
    name: "errors",
    format: FORMATS.perMinute,
    least: 10,
    lines: (history) => rare(history, "sse_errors_total", "sse_reconnects_total", "sse_slow_readers_total"),
  },
  {
    name: "lag",
    format: FORMATS.time,
    least: 0.01,
    lines: (history) => [0.5, 0.99].map((share) => history.quantiles("sse_event_loop_lag_seconds", share)),
  },
  {
    name: "log",
    format: FORMATS.bytes,
    least: 10_000,
    lines: (history) => [history.levels("sse_log_bytes")],
  },
  {
    name: "memory",
    format: FORMATS.bytes,
    least: 100e6,
    lines: (history) => [history.levels("process_resident_memory_bytes")],
  },
  {
    name: "cpu",
    format: FORMATS.percent,
    least: 20,
    lines: (history) => [scaled(history.rates("process_cpu_seconds_total", {}, 3000), 100)],
  },
];

/** @typedef {keyof Words["tiles"]} TileName */

/** @type {Record<TileName, (history: History, units: Words["units"]) => string | null>} */
export const TILES = {
  connections: (history) => figure(history.last?.sum("sse_connections"), FORMATS.count),
  runs: (history) => figure(history.last?.sum("sse_runs"), FORMATS.count),
  ttft: (history, units) =>
    figure(history.quantiles("sse_time_to_first_token_seconds", 0.5).at(-1), FORMATS.time, units),
  events: (history, units) =>
    figure(history.rates("sse_events_sent_total", {}, 3000).at(-1), FORMATS.perSecond, units),
  drops: (history, units) => {
    const [due, dropped] = [
      history.last?.sum("sse_pings_due_total"),
      history.last?.sum("sse_pings_dropped_total"),
    ];
    return due ? figure((100 * (dropped ?? 0)) / due, FORMATS.percent, units) : null;
  },
  errors: (history) => figure(history.last && (history.last.sum("sse_errors_total") ?? 0), FORMATS.count),
  lag: (history, units) =>
    figure(history.quantiles("sse_event_loop_lag_seconds", 0.99).at(-1), FORMATS.time, units),
  memory: (history, units) =>
    figure(history.last?.sum("process_resident_memory_bytes"), FORMATS.bytes, units),
};

/** @param {number | null | undefined} value @param {Format} format @param {Words["units"]} [units] */
function figure(value, format, units) {
  return value === null || value === undefined ? null : format(value, /** @type {Words["units"]} */ (units));
}
