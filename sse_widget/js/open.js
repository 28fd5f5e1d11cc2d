/** A stream by whatever way gets through. */
import { Consumer } from "./consumer.js";
import { AdaptiveTransport } from "./transport/adaptive.js";
import { Endpoint } from "./transport/endpoint.js";
import { FetchTransport } from "./transport/fetch.js";
import { platformOf } from "./transport/platform.js";
import { PollTransport } from "./transport/poll.js";
import { Slots } from "./transport/slots.js";
import { WebSocketTransport } from "./transport/websocket.js";

/** @typedef {import("./options.js").ConsumerOwnOptions} ConsumerOwnOptions */
/** @typedef {Partial<import("./transport/platform.js").Platform>} Parts */
/** @typedef {ConsumerOwnOptions & import("./transport/endpoint.js").EndpointOptions & Parts} ConsumerOptions */
/** @typedef {import("./transport/transport.js").Transport} Transport */
/** @typedef {"auto" | import("./protocol/ways.js").Way} Wanted */
/** @typedef {ConsumerOptions & {transport?: Wanted}} StreamOptions */

/**
 * Returns the consumer of a stream; it is not connected yet. It switches by itself, and loses and repeats nothing then:
 * to the WebSocket where server-sent events are held back or refused on the way, or the browser's connections are taken,
 * and to long-polling where the WebSocket is blocked too. From servers that are not ours it only reads server-sent events.
 *
 * @param {string | URL} url of a route that starts a stream, or of a run, to attach to it
 * @param {StreamOptions} [options] `transport` names one way, which is then kept to
 * @returns {Consumer}
 * @throws {TypeError} the URL is not one
 */
export function openStream(url, options = {}) {
  return new Consumer(transportOf(url, options), options);
}

/**
 * Returns the transport of a stream, as `openStream` chooses it.
 *
 * @param {string | URL} url
 * @param {StreamOptions} [options]
 * @returns {Transport}
 * @throws {TypeError} the URL is not one
 */
export function transportOf(url, options = {}) {
  const platform = platformOf(options);
  const endpoint = new Endpoint(url, options, platform);
  switch (options.transport) {
    case "websocket":
      return new WebSocketTransport(endpoint, platform);
    case "poll":
      return new PollTransport(
        endpoint,
        platform,
        new Slots(endpoint.origin, platform.locks, platform.shared.locks),
      );
    case "sse":
      return new FetchTransport(endpoint, platform);
    default:
      return endpoint.ours
        ? new AdaptiveTransport(endpoint, platform)
        : new FetchTransport(endpoint, platform);
  }
}

/** A consumer of server-sent events over fetch. */
export class SSEConsumer extends Consumer {
  /**
   * @param {string | URL} url of a route that starts a stream, or of a run, to attach to it
   * @param {ConsumerOptions} [options]
   * @throws {TypeError} the URL is not one
   */
  constructor(url, options = {}) {
    super(transportOf(url, { ...options, transport: "sse" }), options);
  }
}

/** A consumer of a stream of our server over the page's WebSocket. */
export class WebSocketConsumer extends Consumer {
  /**
   * @param {string | URL} url of a route that starts a stream, or of a run, to attach to it
   * @param {ConsumerOptions} [options]
   * @throws {TypeError} the URL is not one
   */
  constructor(url, options = {}) {
    super(transportOf(url, { ...options, transport: "websocket" }), options);
  }
}
