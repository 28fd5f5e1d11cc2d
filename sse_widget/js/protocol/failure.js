/**
 * Why an attempt, or a stream, failed: as a status says it, or an `error` event. Twin of protocol/failure.py.
 */
import { decode, text } from "./events.js";

/** @typedef {{message: string, code: string}} Failure */

const TRANSIENT = new Set([408, 425, 500, 502, 504]);
/** @type {Record<number, string>} */
const BUSY = { 429: "rate_limited", 503: "overloaded" };
/** @type {Record<number, string>} */
const REFUSED = {
  400: "invalid_request",
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  410: "expired",
  413: "invalid_request",
};

const FAILURE = { message: { ...text, missing: "" }, code: { ...text, missing: "internal" } };

/** @type {Failure} */
export const LOST = {
  message: "the connection was lost and could not be resumed",
  code: "connect_failed",
};

/**
 * How many ms the next attempt has to wait at least; null when none can have better luck. A server that has too much to
 * do is believed when it says how long.
 *
 * @param {import("./actions.js").Head} head
 */
export function waitOf({ status, retryAfterMs }) {
  if (status in BUSY) return retryAfterMs ?? 0;
  return TRANSIENT.has(status) ? 0 : null;
}

/**
 * What a refusal says, or else its status.
 *
 * @param {import("./actions.js").Head} head
 * @returns {Failure}
 */
export function failureOfHead({ status, code, message }) {
  return {
    message: message || `the server answered ${status}`,
    code: code || (BUSY[status] ?? REFUSED[status] ?? "connect_failed"),
  };
}

/**
 * What an `error` event says.
 *
 * @param {import("./sse.js").SSEEvent} event
 * @returns {Failure}
 */
export function failureOfEvent({ data }) {
  const failure = decode(data, FAILURE);
  return failure === null ? { message: data, code: "internal" } : /** @type {Failure} */ (failure);
}
