/** One HTTP connection by fetch, reported to a sink as it happens. */
import { readHead } from "./head.js";

/**
 * What a connection reports. `failed` and `ended` come last, and nothing comes after `close()`.
 *
 * @typedef {object} Sink
 * @property {(head: import("../protocol/actions.js").Head) => void} head
 * @property {(bytes: Uint8Array) => void} bytes
 * @property {() => void} ended
 * @property {(reason: string) => void} failed
 */
/** @typedef {{url: string, init: RequestInit}} Request */
/** @typedef {{fetch: typeof fetch, wall: () => number}} Network */

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
async function follow(request, { fetch, wall }, sink, signal) {
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
  const outcome = await pump(response.body?.getReader(), sink, signal);
  if (!signal.aborted) {
    outcome === "ended" ? sink.ended() : sink.failed(outcome);
  }
}

/**
 * @param {ReadableStreamDefaultReader<Uint8Array> | undefined} reader
 * @param {Sink} sink
 * @param {AbortSignal} signal
 */
async function pump(reader, sink, signal) {
  while (reader && !signal.aborted) {
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
      sink.bytes(part.value);
    }
  }
  reader?.cancel().catch(() => {});
  return "ended";
}
