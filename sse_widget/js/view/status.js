/** The status line: what the reading is doing, in words. */
import { say } from "../protocol/messages.js";

/** @typedef {import("../transcript.js").Standing} Standing */

const TICK_MS = 250;
/** Errors that the consumer itself finds; the server, which words its own in the reader's language, knows nothing of them. */
const FOUND_HERE = ["connect_failed", "wrong_content_type", "limit_exceeded", "payload_mismatch"];

/** Says a standing, and counts the seconds down while it waits. */
export class StatusLine {
  #element;
  #lang;
  #now;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /**
   * @param {HTMLElement} element
   * @param {string} lang
   * @param {AbortSignal} signal
   * @param {() => number} [now]
   */
  constructor(element, lang, signal, now = () => performance.now()) {
    this.#element = element;
    this.#lang = lang;
    this.#now = now;
    signal.addEventListener("abort", () => clearInterval(this.#timer));
  }

  /** @param {Standing} standing */
  show(standing) {
    clearInterval(this.#timer);
    this.#element.textContent = this.text(standing);
    if (standing.state === "waiting") {
      this.#timer = setInterval(() => {
        this.#element.textContent = this.text(standing);
      }, TICK_MS);
    }
  }

  /** @param {string} code why the stream takes another way */
  reason(code) {
    return say(code, this.#lang);
  }

  /**
   * @param {Standing} standing
   * @returns {string}
   */
  text({ state, detail, sinceMs }) {
    const { attempt, delayMs = 0, code, message } = detail;
    switch (state) {
      case "waiting": {
        const seconds = Math.max(0, Math.ceil((sinceMs + delayMs - this.#now()) / 1000));
        return say(state, this.#lang, { attempt, seconds });
      }
      case "connecting":
        return say(code || state, this.#lang);
      case "error":
        return message && !FOUND_HERE.includes(code) ? message : say(code || state, this.#lang);
      default:
        return say(state, this.#lang);
    }
  }
}
