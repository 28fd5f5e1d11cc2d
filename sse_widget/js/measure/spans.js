/**
 * The flight recorder: what a page saw of each delta of a run, as rows for whoever measures. Pure.
 *
 * It hears what views hear (js/transcript.js). Rows are given out when nothing more will be known of them: of a delta when
 * the frame that shows its last character is on the screen.
 */
import { parseEventId, TEXT } from "../protocol/events.js";
import { deltaRow, pingRow, stateRow, timingOf } from "../protocol/trace.js";
import { Waiting } from "./waiting.js";

/** @typedef {import("../protocol/trace.js").Row} Row */
/** @typedef {import("../protocol/trace.js").Seen & {kind: "delta" | "snapshot"}} Delta */
/** @typedef {import("../listening.js").Arrival} Arrival */

/** So many rows a server takes of one reader; what comes then is not recorded. */
export const MOST_ROWS = 50_000;
const LIVE = ["connecting", "open", "waiting"];

/** One run, from its beginning. Times are ms of the page's clock. */
export class Spans {
  /** @type {Row[]} complete, and not taken yet */
  #rows = [];
  #kept = 0;
  #connection = 0;
  /** The number that the consumer gives its connections: another consumer counts anew. */
  #numbered = 0;
  #tries = 0;
  #attempt = 0;
  /** @type {import("../protocol/trace.js").Timing | null} */
  #timing = null;
  /** Came as an event; what it brought is heard next, unless that is nothing new, as when it is read again. @type {Delta | null} */
  #heard = null;
  /** @type {Waiting<Delta | null>} null is text that came otherwise */
  #waiting = new Waiting();
  /** Whether more may come. */
  live = true;
  /** Stand in the page, and may not be on the screen yet. @type {Delta[]} */
  #shown = [];
  #painted = 0;
  #last = "";

  /** How many deltas stood in the page to their end, those that are painted included. */
  get shown() {
    return this.#painted + this.#shown.length;
  }

  /** Whether the run is over, and all that came of it is painted or given up. */
  get over() {
    return !this.live && this.#waiting.length === 0 && this.#shown.length === 0 && !this.#heard;
  }

  /** Whether rows are complete. */
  get ready() {
    return this.#rows.length > 0;
  }

  /** Whether more came than is kept. */
  get full() {
    return this.#kept >= MOST_ROWS;
  }

  /** Takes the rows that are complete. @returns {Row[]} */
  take() {
    return this.#rows.splice(0);
  }

  /** @param {{event: string, data: string, id: string}} event @param {Arrival} arrival */
  event({ event, data, id }, { receivedMs, parsedMs }) {
    this.#heard = null;
    if (event === "timing") this.#timing = timingOf(data);
    else if (event === "ping") this.#keep(pingRow(this.#connection, receivedMs));
    else if (event === TEXT) this.#hear(parseEventId(id)?.seq, receivedMs, parsedMs);
  }

  /** @param {string} text @param {boolean} atOnce whether it is old */
  text(text, atOnce) {
    const delta = this.#heard;
    this.#heard = null;
    if (delta && atOnce) delta.kind = "snapshot";
    this.#waiting.add(text.length, delta);
  }

  /** The text is forgotten: it comes anew from its start. */
  clear() {
    for (const delta of this.#waiting.drain()) if (delta) this.#complete(delta);
    this.#waiting = new Waiting();
  }

  /** @param {string} text was put into the page @param {number} atMs */
  show(text, atMs) {
    const { touched, whole } = this.#waiting.show(text.length);
    for (const delta of touched) if (delta) delta.showFirstMs ??= atMs;
    for (const delta of whole) {
      if (!delta) continue;
      delta.showLastMs = atMs;
      this.#shown.push(delta);
    }
  }

  /**
   * What stood in the page is on the screen.
   *
   * @param {number} shown how many deltas `shown` counted then
   * @param {number | null} atMs null when nobody can know when, as in a hidden tab
   */
  paint(shown, atMs) {
    for (const delta of this.#shown.splice(0, Math.max(0, shown - this.#painted))) {
      delta.paintMs = atMs;
      this.#painted += 1;
      this.#complete(delta);
    }
  }

  /** @param {{state: string, detail: Readonly<Record<string, any>>}} standing @param {number} atMs */
  standing({ state, detail }, atMs) {
    const { connection = 0, attempt, reason, code } = detail;
    this.live = LIVE.includes(state);
    if (state === "connecting") this.#connecting(connection);
    if (state === "waiting") this.#tries = attempt ?? this.#tries;
    if (!this.live) {
      this.#heard = null;
      this.#numbered = 0;
    }
    const why = String(reason || code || "");
    const row = [state, this.#connection, why].join();
    if (row === this.#last) return;
    this.#last = row;
    this.#keep(stateRow(this.#connection, this.#tries, atMs, state, why));
  }

  /** Nothing more will be shown: what is known of the rest is all. */
  giveUp() {
    this.#heard = null;
    this.paint(this.shown, null);
    for (const delta of this.#waiting.drain()) if (delta) this.#complete(delta);
  }

  /** @param {number} numbered */
  #connecting(numbered) {
    if (!numbered || numbered === this.#numbered) return;
    this.#numbered = numbered;
    this.#connection += 1;
    this.#attempt = this.#tries;
    this.#timing = null;
  }

  /** @param {number | undefined} seq @param {number} receiveMs @param {number} parseMs */
  #hear(seq, receiveMs, parseMs) {
    if (seq === undefined) return;
    this.#tries = 0;
    const timing = this.#timing;
    const timed = timing && timing.first <= seq && seq <= timing.last;
    this.#heard = {
      kind: "delta",
      seq,
      connection: this.#connection,
      attempt: this.#attempt,
      writeNs: timed ? timing.write : null,
      receiveMs,
      parseMs,
      showFirstMs: null,
      showLastMs: null,
      paintMs: null,
    };
  }

  /** @param {Delta} delta */
  #complete(delta) {
    this.#keep(deltaRow(delta.kind, delta));
  }

  /** @param {Row} row */
  #keep(row) {
    if (this.full) return;
    this.#kept += 1;
    this.#rows.push(row);
  }
}
