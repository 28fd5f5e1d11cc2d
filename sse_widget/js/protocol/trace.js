/**
 * The rows in which a page says what it saw of a run. Twin of protocol/trace.py. Pure.
 *
 * Times of the page are ms of its clock, `writeNs` is ns of the server's. What did not happen, or is not known, is null.
 */
import { decode, integer } from "./events.js";

/** @typedef {(string | number | null)[]} Row */
/**
 * A delta as the page saw it: `connection` counts the page's connections of the run from 1, `attempt` is how many it
 * had tried since the last progress when this one was made, from 0.
 *
 * @typedef {object} Seen
 * @property {number} seq
 * @property {number} connection
 * @property {number} attempt
 * @property {number | null} writeNs when the server wrote it
 * @property {number} receiveMs the bytes that complete it arrived
 * @property {number} parseMs it was an event
 * @property {number | null} showFirstMs its first character was put into the page
 * @property {number | null} showLastMs its last one was
 * @property {number | null} paintMs the frame that shows that one was on the screen
 */
/** @typedef {{first: number, last: number, write: number}} Timing of the events from `first` to `last`, in one write, ns */

/** Times are told to a microsecond: browsers give no more. */
const PER_MS = 1000;
const MOST_STATE = 32;
const MOST_REASON = 200;
/** Times of the server's clock: after 104 days they are beyond the safe integers, and a few ns off. */
const ns = { check: Number.isInteger };
const TIMING = { first: integer, last: integer, write: ns };

/** @param {"delta" | "snapshot"} kind @param {Seen} seen @returns {Row} */
export function deltaRow(kind, seen) {
  const { seq, connection, attempt, writeNs, receiveMs, parseMs } = seen;
  const shown = [seen.showFirstMs, seen.showLastMs, seen.paintMs].map((ms) =>
    ms === null ? null : rounded(ms),
  );
  return [kind, seq, connection, attempt, writeNs, rounded(receiveMs), rounded(parseMs), ...shown];
}

/** @param {number} connection @param {number} atMs @returns {Row} */
export function pingRow(connection, atMs) {
  return ["ping", connection, rounded(atMs)];
}

/**
 * @param {number} connection
 * @param {number} attempt
 * @param {number} atMs
 * @param {string} state
 * @param {string} reason
 * @returns {Row}
 */
export function stateRow(connection, attempt, atMs, state, reason) {
  return [
    "state",
    connection,
    attempt,
    rounded(atMs),
    state.slice(0, MOST_STATE),
    reason.slice(0, MOST_REASON),
  ];
}

/** What a `timing` event says, null when it is none. @param {string} data @returns {Timing | null} */
export function timingOf(data) {
  return decode(data, TIMING);
}

/** @param {number} ms */
export function rounded(ms) {
  return Math.round(ms * PER_MS) / PER_MS;
}
