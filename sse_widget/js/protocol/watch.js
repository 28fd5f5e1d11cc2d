/**
 * Whether the bytes of our server's stream come as they are sent, or are held back on the way: by a proxy that buffers
 * or compresses. No I/O; times are milliseconds of any steady clock.
 *
 * The server says hello at once, before anything of a new run can be there, and writes something every heartbeat.
 */
import { decode, number, TEXT } from "./events.js";
import { Patience } from "./patience.js";

/** @typedef {import("./sse.js").SSEEvent} SSEEvent */
/** @typedef {"" | "held_back" | "silent"} Verdict silent may also be a dead connection */

/** Hello comes within this, wherever the server is. */
export const HELLO_MS = 3000;
/** Hello of a new run that comes this late together with deltas has waited for them to fill a buffer. */
export const HELD_BACK_MS = 1500;
const LATE_DELTAS = 3;
/** A heartbeat may be late by half of one, and by the time that a slow network takes. */
const BEATS = 1.5;
const NETWORK_MS = 1000;
/** Then it has so much longer: whoever finds the time over may have been busy or asleep, and has bytes to read first. */
const GRACE_MS = 1000;

const HELLO = { heartbeat_s: number, after: number };

/** Watches one connection. `deadlineMs` is when to call `tick`. */
export class Watch {
  #hello;
  #beatMs = 0;
  #dueMs = 0;
  #graced = false;
  #fresh;

  /** @param {number} nowMs when the request went out @param {boolean} [fresh] whether it asks for a new run */
  constructor(nowMs, fresh = true) {
    this.#fresh = fresh;
    this.#hello = new Patience(nowMs, HELLO_MS);
  }

  get deadlineMs() {
    return this.greeted ? this.#dueMs : this.#hello.deadlineMs;
  }

  /** Whether hello has come. */
  get greeted() {
    return this.#beatMs > 0;
  }

  /**
   * Takes the events of one read, until hello was among them.
   *
   * @param {SSEEvent[]} events
   * @param {number} nowMs
   * @returns {Verdict}
   */
  read(events, nowMs) {
    const event = events.find((one) => one.event === "hello");
    const hello = event && decode(event.data, HELLO);
    if (!hello) return "";
    this.#beatMs = BEATS * 1000 * hello.heartbeat_s + NETWORK_MS;
    this.bytes(nowMs);
    const deltas = events.filter((one) => one.event === TEXT).length;
    const late = this.#hello.waitedMs(nowMs) >= HELD_BACK_MS;
    return late && this.#fresh && hello.after === 0 && deltas >= LATE_DELTAS ? "held_back" : "";
  }

  /**
   * Notes that something came.
   *
   * @param {number} nowMs
   */
  bytes(nowMs) {
    this.#graced = false;
    this.#dueMs = nowMs + this.#beatMs;
  }

  /**
   * @param {number} nowMs
   * @returns {Verdict}
   */
  tick(nowMs) {
    if (!this.greeted) return this.#hello.over(nowMs) ? "held_back" : "";
    if (nowMs < this.#dueMs) return "";
    if (this.#graced) return "silent";
    this.#graced = true;
    this.#dueMs = nowMs + GRACE_MS;
    return "";
  }
}
