/** A stream over the page's WebSocket. */
import { headOf } from "../protocol/actions.js";
import { CONTENT_TYPE } from "../protocol/events.js";
import { openingCall, orderCall } from "./call.js";
import { Courier } from "./courier.js";
import { agreed, answered } from "./fetch.js";
import { socketTo } from "./socket.js";

/** @typedef {import("./transport.js").Opening} Opening */
/** @typedef {import("./transport.js").Changes} Changes */
/** @typedef {import("./transport.js").Sink} Sink */
/** @typedef {import("./transport.js").Transport} Transport */
/** @typedef {import("./socket.js").Frame} Frame */

/** @implements {Transport} */
export class WebSocketTransport {
  name = "websocket";
  #endpoint;
  #platform;

  /** @param {import("./endpoint.js").Endpoint} endpoint @param {import("./platform.js").Platform} platform */
  constructor(endpoint, platform) {
    this.#endpoint = endpoint;
    this.#platform = platform;
    this.place = endpoint.place;
    this.logged = endpoint.logged;
    this.repeatable = endpoint.repeatable;
  }

  /** @param {Opening} opening @param {Sink} sink */
  open(opening, sink) {
    const left = new AbortController();
    this.#follow(opening, sink, left.signal);
    return () => left.abort();
  }

  /** @param {string} streamId */
  async stop(streamId) {
    return (
      (await this.#order("stop", streamId)) ?? agreed(() => this.#endpoint.stop(streamId), this.#platform)
    );
  }

  /** @param {string} streamId @param {Changes} changes */
  async tune(streamId, changes) {
    const told = await this.#order("tune", streamId, changes);
    return told ?? answered(() => this.#endpoint.tune(streamId, changes), this.#platform);
  }

  courier() {
    return new Courier(this.#endpoint, this.#platform);
  }

  /** @param {Opening} opening @param {Sink} sink @param {AbortSignal} signal */
  async #follow(opening, sink, signal) {
    /** @type {import("./call.js").Call} */
    let call;
    try {
      call = openingCall(await this.#endpoint.said(), opening);
    } catch {
      if (!signal.aborted) sink.failed("not_possible");
      return;
    }
    if (signal.aborted) return;
    const leave = socketTo(call.address, this.#platform).ask(call.fields, hearing(sink, signal));
    signal.addEventListener("abort", leave);
  }

  /** @param {string} op @param {string} streamId @param {Changes} [changes] @returns {Promise<boolean | null>} null: not asked */
  async #order(op, streamId, changes) {
    try {
      const { address, fields } = orderCall(await this.#endpoint.said(), op, streamId, changes);
      return await new Promise((resolve) => {
        socketTo(address, this.#platform).ask(fields, {
          frame: ({ event }) => resolve(event === "ok"),
          lost: () => resolve(null),
        });
      });
    } catch {
      return null;
    }
  }
}

/**
 * What a sink is told of the frames of its stream.
 *
 * @param {Sink} sink
 * @param {AbortSignal} signal
 * @returns {import("./socket.js").Hearer}
 */
function hearing(sink, signal) {
  let open = false;
  return {
    frame(frame, sizeBytes, atMs) {
      if (signal.aborted) return;
      if (frame.stream === undefined) return over(frame, open, sink);
      if (!open) sink.head(headOf({ status: 200, contentType: CONTENT_TYPE, streamId: frame.stream }));
      open = true;
      const { event, data = "", id = "" } = frame;
      if (!signal.aborted) sink.event({ event, data, id }, sizeBytes, atMs);
    },
    lost(reason) {
      if (!signal.aborted) sink.failed(reason);
    },
  };
}

/** @param {Frame} frame @param {boolean} open @param {Sink} sink */
function over({ event, status = 0, data = "{}", retry_after_s: retryAfterS = null }, open, sink) {
  if (open) return sink.ended();
  if (event === "end") return sink.head(headOf({ status }));
  const { code = "", message = "" } = Object(JSON.parse(data));
  sink.head(
    headOf({ status, code, message, retryAfterMs: retryAfterS === null ? null : 1000 * retryAfterS }),
  );
}
