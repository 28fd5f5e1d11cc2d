/**
 * Server-sent events from bytes. The grammar is eventsource-parser's; this wrapper adds what the HTML standard (9.2.5)
 * asks of the bytes around it: UTF-8 decoded once, one byte order mark dropped and not two, the last event id kept.
 */
import { createParser } from "eventsource-parser";

/** Largest event, in UTF-16 code units, that a parser accepts unless told otherwise. */
export const MAX_EVENT_CHARS = 16 * 1024 * 1024;

/** @typedef {{event: string, data: string, id: string}} SSEEvent */

/** One line, or the data of one event, is larger than the parser accepts. */
export class LimitExceeded extends Error {
  /** @param {number} limit */
  constructor(limit) {
    super(`One event is larger than ${limit} characters; raise maxEventChars if that is meant.`);
    this.name = "LimitExceeded";
    this.code = "limit_exceeded";
  }
}

/** Incremental parser: bytes in, whole events out, whatever the chunking. */
export class Parser {
  /**
   * @param {{lastEventId?: string, maxEventChars?: number, onComment?: (comment: string) => void}} [options]
   */
  constructor({ lastEventId = "", maxEventChars = MAX_EVENT_CHARS, onComment } = {}) {
    this.lastEventId = lastEventId;
    /** @type {number | null} */
    this.retryMs = null;
    /** @type {SSEEvent[]} */
    this._events = [];
    this._overflow = false;
    this._limit = maxEventChars;
    // The parser drops the BOM itself; a decoder that also did would eat two.
    this._decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    this._parser = createParser({
      maxBufferSize: maxEventChars,
      onEvent: ({ event, data }) => {
        this._events.push({ event: event || "message", data, id: this.lastEventId });
      },
      onId: (id) => {
        this.lastEventId = id;
      },
      onRetry: (ms) => {
        this.retryMs = ms;
      },
      onComment,
      onError: (error) => {
        this._overflow ||= error.type === "max-buffer-size-exceeded";
      },
    });
  }

  /**
   * Takes the next bytes and returns the events that they complete, in order.
   *
   * @param {Uint8Array} chunk
   * @returns {SSEEvent[]}
   * @throws {LimitExceeded}
   */
  feed(chunk) {
    this._parser.feed(this._decoder.decode(chunk, { stream: true }));
    if (this._overflow) {
      throw new LimitExceeded(this._limit);
    }
    const events = this._events;
    this._events = [];
    return events;
  }
}
