/** A stream by one request after the other, each held by the server until there is something to say. */
import { CONTENT_TYPE, decode, flag, parseEventId } from "../protocol/events.js";
import { Courier } from "./courier.js";
import { JSON_TYPE } from "./endpoint.js";
import { agreed, answered } from "./fetch.js";
import { readHead } from "./head.js";

/** @typedef {import("./transport.js").Opening} Opening */
/** @typedef {import("./transport.js").Sink} Sink */
/** @typedef {import("./transport.js").Transport} Transport */

/** Seconds that the server holds the first poll, so that the reader soon knows that it is heard. */
export const FIRST_S = 1;
/** And every poll while others wait for the connection. */
export const CROWDED_S = 1;
/** No poll is held longer: the consumer has heard of the first one's heartbeat only, and watches for 45 s. */
export const LONGEST_S = 20;

const encoder = new TextEncoder();

/** @implements {Transport} */
export class PollTransport {
  name = "poll";
  #endpoint;
  #platform;
  #slots;

  /**
   * @param {import("./endpoint.js").Endpoint} endpoint
   * @param {import("./platform.js").Platform} platform
   * @param {Pick<import("./slots.js").Slots, "turn">} slots
   */
  constructor(endpoint, platform, slots) {
    this.#endpoint = endpoint;
    this.#platform = platform;
    this.#slots = slots;
    this.place = endpoint.place;
    this.logged = endpoint.logged;
    this.repeatable = endpoint.repeatable;
  }

  /** @param {Opening} opening @param {Sink} sink */
  open(opening, sink) {
    const left = new AbortController();
    const { signal } = left;
    const polling = new Polling(this.#endpoint, this.#platform, this.#slots, sink, signal);
    polling.run(opening).then(
      (end) => {
        if (signal.aborted || end === null) return;
        end === "ended" ? sink.ended() : sink.failed(end);
      },
      () => signal.aborted || sink.failed("network"),
    );
    return () => left.abort();
  }

  /** @param {string} streamId */
  stop(streamId) {
    return agreed(() => this.#endpoint.stop(streamId), this.#platform);
  }

  /** @param {string} streamId @param {import("./transport.js").Changes} changes */
  tune(streamId, changes) {
    return answered(() => this.#endpoint.tune(streamId, changes), this.#platform);
  }

  courier() {
    return new Courier(this.#endpoint, this.#platform);
  }
}

/** One connection, as the session sees it. */
class Polling {
  #endpoint;
  #platform;
  #slots;
  #sink;
  #signal;
  #open = false;

  /**
   * @param {import("./endpoint.js").Endpoint} endpoint
   * @param {import("./platform.js").Platform} platform
   * @param {Pick<import("./slots.js").Slots, "turn">} slots
   * @param {Sink} sink
   * @param {AbortSignal} signal
   */
  constructor(endpoint, platform, slots, sink, signal) {
    this.#endpoint = endpoint;
    this.#platform = platform;
    this.#slots = slots;
    this.#sink = sink;
    this.#signal = signal;
  }

  /**
   * Polls until there is nothing more to come.
   *
   * @param {Opening} opening
   * @returns {Promise<string | null>} how it ended; null when the sink knows already
   */
  async run(opening) {
    const streamId = opening.target === "start" ? await this.#create(opening) : opening.streamId;
    if (streamId === null) return null;
    /** @type {Opening | string | null} */
    let next = { ...opening, target: "resume", streamId };
    while (next !== null && typeof next !== "string") next = await this.#poll(next);
    return next;
  }

  /** Starts the run. @param {Opening} opening @returns {Promise<string | null>} null when the server refused */
  async #create(opening) {
    const response = await this.#fetch(await this.#endpoint.create(opening));
    const head = await readHead(response, this.#platform.wall());
    this.#signal.throwIfAborted();
    if (head.status === 201) return String((await response.json()).stream_id);
    this.#sink.head(head);
    return null;
  }

  /**
   * One poll. Returns where the next one goes on from, or the end.
   *
   * @param {Opening} opening
   * @returns {Promise<Opening | string | null>}
   */
  async #poll(opening) {
    const { release, crowded } = await this.#slots.turn(this.#signal);
    try {
      const heldS = Math.min(opening.heartbeatS ?? LONGEST_S, LONGEST_S);
      const heartbeatS = crowded ? CROWDED_S : this.#open ? heldS : FIRST_S;
      const response = await this.#fetch(await this.#endpoint.poll({ ...opening, heartbeatS }));
      const head = await readHead(response, this.#platform.wall());
      this.#signal.throwIfAborted();
      const readable = head.status === 200 && head.contentType.startsWith(JSON_TYPE);
      if (this.#open && !readable) return head.status === 204 ? "ended" : `http_${head.status}`;
      if (!this.#open) this.#sink.head(readable ? { ...head, contentType: CONTENT_TYPE } : head);
      return readable ? this.#read(await response.text(), opening) : null;
    } finally {
      release();
    }
  }

  /** @param {string} body @param {Opening} opening @returns {Opening | string} */
  #read(body, opening) {
    const atMs = this.#platform.now();
    let { after } = opening;
    let sizeBytes = encoder.encode(body).length;
    let heard = false;
    for (const { event, data, id } of JSON.parse(body)) {
      this.#signal.throwIfAborted();
      after = Math.max(after, parseEventId(id)?.seq ?? 0);
      heard ||= event !== "hello";
      // The first hello stands for the whole connection.
      if (event !== "hello" || !this.#open || gapOf(data))
        this.#sink.event({ event, data, id }, sizeBytes, atMs);
      this.#open = true;
      sizeBytes = 0;
    }
    // An answer without even a ping is none of our server's; a proxy would be asked again without end.
    // Why this connection was made has been said by its first poll.
    return heard ? { ...opening, snapshot: opening.snapshot && after === 0, after, reason: "" } : "empty";
  }

  /** @param {import("./fetch.js").Request} request */
  #fetch({ url, init }) {
    this.#signal.throwIfAborted();
    return this.#platform.fetch(url, { ...init, signal: this.#signal });
  }
}

/** @param {string} data */
function gapOf(data) {
  return decode(data, { gap: { ...flag, missing: false } })?.gap === true;
}
