/** What connections bring, on its way into the session: bytes through a parser, or events that are whole already. */
import { LimitExceeded, MAX_EVENT_CHARS } from "./protocol/sse.js";

/** @typedef {import("./protocol/actions.js").Action} Action */
/** @typedef {import("./protocol/session.js").Session} Session */
/** @typedef {import("./protocol/sse.js").Parser} Parser */
/** @typedef {import("./protocol/sse.js").SSEEvent} SSEEvent */

/** Counts and times what comes, and ends the reading where an event is over its limit. */
export class Intake {
  /** How many bytes have come: of the stream, not of HTTP. */
  bytes = 0;
  /** When the last bytes were handed over. */
  receivedMs = 0;
  #session;
  #now;
  #run;

  /**
   * @param {Session} session
   * @param {{now: () => number, run: (actions: Action[]) => void, maxEventChars?: number | undefined}} around `run` carries actions out
   */
  constructor(session, { now, run, maxEventChars = MAX_EVENT_CHARS }) {
    this.#session = session;
    this.#now = now;
    this.#run = run;
    this.maxEventChars = maxEventChars;
  }

  /** @param {Parser} parser of this connection @param {Uint8Array} bytes @param {number} [atMs] */
  read(parser, bytes, atMs) {
    const nowMs = this.#arrived(bytes.length, atMs);
    try {
      const events = parser.feed(bytes);
      if (parser.retryMs !== null) {
        this.#session.retry(parser.retryMs);
      }
      for (const event of events) {
        this.#run(this.#session.event(event, nowMs));
      }
    } catch (error) {
      if (!(error instanceof LimitExceeded)) {
        throw error;
      }
      this.#run(this.#session.refuse(error.code, error.message));
    }
  }

  /** @param {SSEEvent} event @param {number} sizeBytes @param {number} [atMs] */
  take(event, sizeBytes, atMs) {
    const nowMs = this.#arrived(sizeBytes, atMs);
    if (event.data.length > this.maxEventChars) {
      const { code, message } = new LimitExceeded(this.maxEventChars);
      this.#run(this.#session.refuse(code, message));
    }
    this.#run(this.#session.event(event, nowMs));
  }

  /** @param {number} sizeBytes @param {number | undefined} atMs */
  #arrived(sizeBytes, atMs) {
    const nowMs = this.#now();
    this.receivedMs = atMs ?? nowMs;
    this.bytes += sizeBytes;
    this.#session.bytesArrived(nowMs);
    return nowMs;
  }
}
