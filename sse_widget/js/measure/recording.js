/**
 * What a page saw of one run: when text was delivered and displayed, and what happened to the connection.
 *
 * Pure: the clock and the segmenter are arguments. It hears what views hear (js/transcript.js), and costs a bounded
 * amount of memory however long the run is.
 */
import { Counter } from "./counter.js";
import { Curve } from "./curve.js";
import { Histogram } from "./histogram.js";
import { Waiting } from "./waiting.js";

/** @typedef {{fromMs: number, untilMs: number | null}} Span still going on while `untilMs` is null */
/** @typedef {{firstMs: number, firstChars: number, lastMs: number, chars: number}} Progress of deltas, the first one and up to the last */

/** A reader notices when text stands still for this long (ms). */
export const STALL_MS = 1000;
const MOST_MARKS = 512;
const LIVE = ["connecting", "open", "waiting"];

/** One run at a time; another question begins anew. Times are ms of `now`, lengths grapheme clusters. */
export class Recording {
  /** When the question was asked, null before the first one. @type {number | null} */
  askedMs = null;
  /** Whether this page came when the run was under way: what was before, it has not seen. */
  joined = false;
  /** When the run was over, null before. @type {number | null} */
  endedMs = null;
  /** Heartbeats. @type {number[]} */
  pingsMs = [];
  pings = 0;
  /** From where the connection was lost up to where it was open again. @type {Span[]} */
  outages = [];
  cuts = 0;
  reconnects = 0;
  /** Where no text appeared for longer than STALL_MS. @type {Span[]} */
  stalls = [];
  #now;
  #segment;
  #question = "";
  #state = "idle";
  #text = emptyText((text) => this.#segment(text));

  /** @param {{now: () => number, segment: (text: string) => string[]}} platform */
  constructor({ now, segment }) {
    this.#now = now;
    this.#segment = segment;
  }

  /** @returns {Curve} delivered characters */
  get delivered() {
    return this.#text.delivered;
  }

  /** @returns {Curve} displayed characters */
  get displayed() {
    return this.#text.displayed;
  }

  /** Of the deltas as they were delivered, null before the first one. @returns {Readonly<Progress> | null} */
  get deliveries() {
    return this.#text.deliveries;
  }

  /** Of the deltas as their last character was displayed, null before the first one. @returns {Readonly<Progress> | null} */
  get displays() {
    return this.#text.displays;
  }

  get gaps() {
    const { deliveredGaps, displayedGaps } = this.#text;
    return { delivered: deliveredGaps, displayed: displayedGaps };
  }

  /** Whether anything may still happen by itself. */
  get live() {
    return LIVE.includes(this.#state) || this.#text.waiting.length > 0;
  }

  /** When the oldest delta came that is not displayed to its end, null when all is displayed. */
  get oldestMs() {
    return this.#text.waiting.oldest?.atMs ?? null;
  }

  /** The last time of which anything is known; the current time while the run goes on. */
  get untilMs() {
    if (this.live) return this.#now();
    return Math.max(this.endedMs ?? 0, this.delivered.last?.atMs ?? 0, this.displayed.last?.atMs ?? 0);
  }

  /** The stall that goes on now, if one does. @returns {Span | null} */
  get stall() {
    const { last } = this.displayed;
    if (!last || !this.live || this.#now() - last.atMs <= STALL_MS) return null;
    return { fromMs: last.atMs, untilMs: null };
  }

  /**
   * A question was asked, or a run is looked at that exists already (`joined`). What is begun again before anything
   * came of it, as when the kernel asks for the page, counts from its first beginning.
   *
   * @param {string} question
   * @param {boolean} joined
   */
  begin(question, joined) {
    const again = this.#state === "connecting" && this.#question === question && this.delivered.length === 0;
    if (again && this.askedMs !== null) return;
    this.#question = question;
    this.askedMs = this.#now();
    this.joined = joined;
    this.endedMs = null;
    this.pingsMs = [];
    this.outages = [];
    this.pings = 0;
    this.cuts = 0;
    this.reconnects = 0;
    this.clear();
  }

  /** The text is forgotten: it comes anew from its start. */
  clear() {
    this.#text = emptyText((text) => this.#segment(text));
    this.stalls = [];
  }

  /** @param {string} text a delta @param {boolean} atOnce whether it is old */
  text(text, atOnce) {
    const nowMs = this.#now();
    const log = this.#text;
    log.deliveredChars.add(text);
    log.delivered.add(nowMs, log.deliveredChars.chars);
    log.waiting.add(text.length, { atMs: nowMs, chars: log.deliveredChars.chars, atOnce });
    if (!atOnce) log.deliveries = onward(log.deliveries, nowMs, log.deliveredChars.chars, log.deliveredGaps);
  }

  /** @param {string} text what has newly appeared @param {{atMs: number}} showing */
  shown(text, { atMs: nowMs }) {
    const log = this.#text;
    const { last } = log.displayed;
    if (last && nowMs - last.atMs > STALL_MS) keep(this.stalls, { fromMs: last.atMs, untilMs: nowMs });
    log.displayedChars.add(text);
    log.displayed.add(nowMs, log.displayedChars.chars);
    for (const delta of log.waiting.show(text.length).whole) {
      if (!delta.atOnce) log.displays = onward(log.displays, nowMs, delta.chars, log.displayedGaps);
    }
  }

  /** @param {{event: string}} event */
  event({ event }) {
    if (event !== "ping") return;
    this.pings += 1;
    keep(this.pingsMs, this.#now());
  }

  /** @param {{state: string, detail: {reason?: string}}} standing */
  standing({ state, detail }) {
    const nowMs = this.#now();
    const lost = this.#state === "open" && ["waiting", "connecting", "interrupted"].includes(state);
    this.#state = state;
    if (lost) this.#lost(nowMs, detail.reason);
    else if (state === "open") this.#opened(nowMs);
    if (LIVE.includes(state)) this.endedMs = null;
    else this.endedMs ??= nowMs;
  }

  /** @param {number} nowMs @param {string} [reason] */
  #lost(nowMs, reason) {
    // A connection is also left on purpose, for another heartbeat or another way.
    if (this.#state !== "connecting" || reason === "restart") this.cuts += 1;
    keep(this.outages, { fromMs: nowMs, untilMs: null });
  }

  /** @param {number} nowMs */
  #opened(nowMs) {
    const outage = this.outages.at(-1);
    if (outage?.untilMs !== null) return;
    outage.untilMs = nowMs;
    this.reconnects += 1;
  }
}

/** @param {(text: string) => string[]} segment */
function emptyText(segment) {
  return {
    deliveredChars: new Counter(segment),
    displayedChars: new Counter(segment),
    delivered: new Curve(),
    displayed: new Curve(),
    /** @type {Waiting<{atMs: number, chars: number, atOnce: boolean}>} */
    waiting: new Waiting(),
    /** @type {Progress | null} */ deliveries: null,
    /** @type {Progress | null} */ displays: null,
    deliveredGaps: new Histogram(),
    displayedGaps: new Histogram(),
  };
}

/**
 * @param {Progress | null} progress
 * @param {number} atMs
 * @param {number} chars
 * @param {Histogram} gaps
 * @returns {Progress}
 */
function onward(progress, atMs, chars, gaps) {
  if (progress === null) return { firstMs: atMs, firstChars: chars, lastMs: atMs, chars };
  gaps.add(atMs - progress.lastMs);
  return { ...progress, lastMs: atMs, chars };
}

/**
 * Adds to a list that is only drawn: when it is long, every second item goes.
 *
 * @template T
 * @param {T[]} list
 * @param {T} item
 */
function keep(list, item) {
  if (list.length >= MOST_MARKS) {
    for (let at = 1; at < list.length; at++) list.splice(at, 1);
  }
  list.push(item);
}
