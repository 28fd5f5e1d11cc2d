/** Server-sent events by fetch: one HTTP connection at a time, reported to a sink as it happens. */
import { Courier } from "./courier.js";
import { readHead } from "./head.js";

/** @typedef {import("./transport.js").Transport} Transport */
/** @typedef {import("./transport.js").Sink} Sink */
/** @typedef {{url: string, init: RequestInit}} Request */
/** @typedef {import("./courier.js").Network & Pick<import("./platform.js").Platform, "wall">} Network */

/**
 * The transport of every SSE server.
 *
 * @implements {Transport}
 */
export class FetchTransport {
  name = "sse";
  #endpoint;
  #network;

  /** @param {import("./endpoint.js").Endpoint} endpoint @param {Network} network */
  constructor(endpoint, network) {
    this.#endpoint = endpoint;
    this.#network = network;
    this.place = endpoint.place;
    this.logged = endpoint.logged;
    this.repeatable = endpoint.repeatable;
  }

  /** @param {import("./transport.js").Opening} opening @param {Sink} sink */
  open(opening, sink) {
    return openFetch(() => this.#endpoint.request(opening), this.#network, sink);
  }

  /** @param {string} streamId */
  stop(streamId) {
    return agreed(() => this.#endpoint.stop(streamId), this.#network);
  }

  /** @param {string} streamId @param {import("./transport.js").Changes} changes */
  tune(streamId, changes) {
    return answered(() => this.#endpoint.tune(streamId, changes), this.#network);
  }

  courier() {
    return new Courier(this.#endpoint, this.#network);
  }
}

/**
 * Sends a request whose answer is a yes or a no; a failure is a no.
 *
 * @param {() => Promise<Request>} request
 * @param {Network} network
 */
export function agreed(request, network) {
  return answered(request, network).catch(() => false);
}

/**
 * The same, but a failure is thrown.
 *
 * @param {() => Promise<Request>} request
 * @param {Network} network
 */
export async function answered(request, { fetch }) {
  const { url, init } = await request();
  const response = await fetch(url, init);
  response.body?.cancel().catch(() => {});
  return response.ok;
}

/**
 * Opens a connection and returns the function that drops it.
 *
 * @param {() => Request | Promise<Request>} request
 * @param {Network} network
 * @param {Sink} sink
 * @returns {() => void}
 */
export function openFetch(request, network, sink) {
  const abort = new AbortController();
  follow(request, network, sink, abort.signal);
  return () => abort.abort();
}

/**
 * @param {() => Request | Promise<Request>} request
 * @param {Network} network
 * @param {Sink} sink
 * @param {AbortSignal} signal
 */
async function follow(request, { fetch, wall, now }, sink, signal) {
  let response;
  let head;
  try {
    const { url, init } = await request();
    signal.throwIfAborted();
    response = await fetch(url, { ...init, signal });
    head = await readHead(response, wall());
  } catch {
    if (!signal.aborted) {
      sink.failed("network");
    }
    return;
  }
  if (!signal.aborted) {
    sink.head(head);
  }
  // A fetch that was passed in may know nothing of signals, so the body is let go here too.
  if (signal.aborted) {
    response.body?.cancel().catch(() => {});
    return;
  }
  const outcome = response.body ? await pump(response.body.getReader(), now, sink, signal) : "no_streaming";
  if (!signal.aborted) {
    outcome === "ended" ? sink.ended() : sink.failed(outcome);
  }
}

/**
 * @param {ReadableStreamDefaultReader<Uint8Array>} reader
 * @param {() => number} now
 * @param {Sink} sink
 * @param {AbortSignal} signal
 */
async function pump(reader, now, sink, signal) {
  while (!signal.aborted) {
    let part;
    try {
      part = await reader.read();
    } catch {
      return "cut";
    }
    if (part.done) {
      break;
    }
    if (!signal.aborted) {
      sink.bytes(part.value, now());
    }
  }
  reader.cancel().catch(() => {});
  return "ended";
}
