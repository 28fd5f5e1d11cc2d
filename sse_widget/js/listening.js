/** The handlers of a consumer: one method for each common event, and one for those of any name. */
import { Handlers } from "./transport/handlers.js";

/** @typedef {import("./protocol/sse.js").SSEEvent} SSEEvent */
/** @typedef {import("./protocol/events.js").TerminalState} TerminalState */
/** @typedef {"idle" | "connecting" | "open" | "waiting" | TerminalState} State */
/** @typedef {(data: any, event: SSEEvent | null) => unknown} DataHandler */
/** @typedef {{receivedMs: number, parsedMs: number}} Arrival when the bytes that complete an event came, and when it was one */

/** Handlers run synchronously, in the order of the stream; one that throws is reported and changes nothing else. */
export class Listening {
  /** @protected */
  handlers;

  /** @param {(error: unknown) => void} report takes what a handler threw */
  constructor(report) {
    this.handlers = new Handlers(report);
  }

  /** @param {DataHandler} handler */
  onHello(handler) {
    return this.on("hello", handler);
  }

  /** @param {DataHandler} handler */
  onStart(handler) {
    return this.on("start", handler);
  }

  /** @param {DataHandler} handler */
  onDelta(handler) {
    return this.on("delta", handler);
  }

  /** @param {DataHandler} handler */
  onProgress(handler) {
    return this.on("progress", handler);
  }

  /** @param {DataHandler} handler */
  onPreview(handler) {
    return this.on("preview", handler);
  }

  /** @param {DataHandler} handler */
  onAudio(handler) {
    return this.on("audio", handler);
  }

  /** @param {DataHandler} handler */
  onMetadata(handler) {
    return this.on("metadata", handler);
  }

  /** @param {DataHandler} handler */
  onPing(handler) {
    return this.on("ping", handler);
  }

  /**
   * Hears of `error` events, and, with null for the event, of every other bad end: a refusal, attempts used up,
   * events lost for good.
   *
   * @param {DataHandler} handler
   */
  onError(handler) {
    return this.on("error", handler);
  }

  /** @param {DataHandler} handler */
  onDone(handler) {
    return this.on("done", handler);
  }

  /** @param {DataHandler} handler */
  onComplete(handler) {
    return this.onDone(handler);
  }

  /**
   * Hears of events of any one name; data are parsed when they are JSON.
   *
   * @param {string} name
   * @param {DataHandler} handler
   */
  on(name, handler) {
    return this.#listen(`event:${name}`, handler);
  }

  /** @param {(event: SSEEvent, arrival: Arrival) => unknown} handler hears of every event, data as they came */
  onEvent(handler) {
    return this.#listen("any", handler);
  }

  /** @param {(comment: string) => unknown} handler hears the comments of one read before its events */
  onComment(handler) {
    return this.#listen("comment", handler);
  }

  /** @param {(state: State, detail: Readonly<Record<string, any>>) => unknown} handler */
  onState(handler) {
    return this.#listen("state", handler);
  }

  /** @param {() => unknown} handler hears that all text is to be forgotten: the stream comes again from its start */
  onReset(handler) {
    return this.#listen("reset", handler);
  }

  /** @param {(name: string, reason: string) => unknown} handler hears that the stream now comes another way, and why */
  onTransport(handler) {
    return this.#listen("transport", handler);
  }

  /** @param {string} topic @param {import("./transport/handlers.js").Handler} handler */
  #listen(topic, handler) {
    this.handlers.add(topic, handler);
    return this;
  }

  /**
   * Says an event to those who listen for its name.
   *
   * @protected
   * @param {SSEEvent} event
   * @param {Arrival} arrival
   */
  say(event, arrival) {
    this.handlers.say("any", event, arrival);
    const topic = `event:${event.event}`;
    if (this.handlers.has(topic)) {
      this.handlers.say(topic, parsed(event.data), event);
    }
  }
}

/** @param {string} data */
function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}
