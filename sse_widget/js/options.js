/** What a consumer of a stream can be told, by its names for web pages, and its defaults. */
import { Backoff } from "./protocol/backoff.js";

/**
 * @typedef {object} ConsumerOwnOptions
 * @property {boolean} [reconnect] true
 * @property {number} [maxReconnectAttempts] 10, counted from the last progress
 * @property {number} [reconnectDelay] 1000 ms, doubled with each attempt; the wait is a random part of it
 * @property {number} [heartbeatTimeout] 45000 ms without a byte, after which the connection counts as dead
 * @property {number | null} [heartbeatS] seconds of silence after which the server is to ping; null leaves it to the server
 * @property {boolean | "write"} [trace] false; whether the server is to say its own times too, or those of its writes alone
 * @property {number} [maxEventChars] 16 Mi UTF-16 units: the largest event
 * @property {string} [lastEventId] where to go on from
 * @property {AbortSignal} [signal] aborting it is `disconnect()`
 */

/**
 * What the session is told: the reader's patience, and what the transport knows of the stream.
 *
 * @param {ConsumerOwnOptions} options
 * @param {import("./transport/transport.js").Transport} transport
 */
export function sessionConfig(options, { place, logged, repeatable }) {
  const {
    reconnect = true,
    maxReconnectAttempts = 10,
    reconnectDelay = 1000,
    heartbeatTimeout = 45_000,
  } = options;
  return {
    ...place,
    reconnect,
    maxAttempts: maxReconnectAttempts,
    backoff: new Backoff({ baseMs: reconnectDelay, capMs: Math.max(30_000, reconnectDelay) }),
    heartbeatTimeoutMs: heartbeatTimeout,
    repeatable,
    logged,
  };
}
