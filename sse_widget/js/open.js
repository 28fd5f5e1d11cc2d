/** A stream by whatever way gets through. */
import { SSEConsumer } from "./consumer.js";

/** @typedef {import("./consumer.js").Consumer} Consumer */
/** @typedef {"auto" | "sse"} Way */
/** @typedef {import("./consumer.js").ConsumerOptions & {transport?: Way}} StreamOptions */

/**
 * Returns the consumer of a stream; it is not connected yet.
 *
 * @param {string | URL} url of a route that starts a stream, or of a run, to attach to it
 * @param {StreamOptions} [options]
 * @returns {Consumer}
 * @throws {TypeError} the URL is not one
 */
export function openStream(url, options = {}) {
  return new SSEConsumer(url, options);
}
