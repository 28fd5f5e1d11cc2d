/** SSEConsumer: one stream, followed over as many connections as it takes, handed to whoever listens. */
import { Backoff } from "./protocol/backoff.js";
import { eventId } from "./protocol/events.js";
import { Session } from "./protocol/session.js";
import { LimitExceeded, MAX_EVENT_CHARS, Parser } from "./protocol/sse.js";
import { Alarm } from "./transport/alarm.js";
import { Endpoint } from "./transport/endpoint.js";
import { openFetch } from "./transport/fetch.js";
import { Handlers } from "./transport/handlers.js";
import { platformOf } from "./transport/platform.js";

/** @typedef {import("./protocol/actions.js").Action} Action */
/** @typedef {import("./protocol/actions.js").Connect} Connect */
/** @typedef {import("./protocol/actions.js").Finish} Finish */
/** @typedef {import("./protocol/events.js").TerminalState} TerminalState */
/** @typedef {import("./protocol/sse.js").SSEEvent} SSEEvent */
/** @typedef {"idle" | "connecting" | "open" | "waiting" | TerminalState} State */
/** @typedef {(data: any, event: SSEEvent | null) => unknown} DataHandler */
/**
 * @typedef {object} ConsumerOwnOptions
 * @property {boolean} [reconnect] true
 * @property {number} [maxReconnectAttempts] 10, counted from the last progress
 * @property {number} [reconnectDelay] 1000 ms, doubled with each attempt; the wait is a random part of it
 * @property {number} [heartbeatTimeout] 45000 ms without a byte, after which the connection counts as dead
 * @property {number} [maxEventChars] 16 Mi UTF-16 units: the largest event
 * @property {AbortSignal} [signal] aborting it is `disconnect()`
 */
/** @typedef {ConsumerOwnOptions & import("./transport/endpoint.js").EndpointOptions & Partial<import("./transport/platform.js").Platform>} ConsumerOptions */

/**
 * Reads one stream of server-sent events (design.md section 6). Text is not kept: `onReset` says when to forget it.
 *
 * Handlers run synchronously, in the order of the stream; one that throws is reported and changes nothing else.
 */
export class SSEConsumer {
  /** @type {State} */
  state = "idle";
  /** @type {{code: string, message: string} | null} why it ended, unless it ended well */
  error = null;
  #platform;
  #endpoint;
  #session;
  #handlers;
  #alarm;
  #parserOptions;
  #drop = () => {};
  /** @type {Action[]} */
  #todo = [];
  #busy = false;
  #lastForeignId;
  #lastName = "";
  #left = new AbortController();
  /** @type {(state: TerminalState) => void} */
  #finished = () => {};
  /** @type {Promise<TerminalState>} */
  #outcome = new Promise((resolve) => {
    this.#finished = resolve;
  });
  /** @type {Promise<boolean> | null} */
  #stopping = null;
  #stopWanted = false;
  #leaving = false;
  #placeKnown = () => {};
  #place = /** @type {Promise<void>} */ (
    new Promise((resolve) => {
      this.#placeKnown = resolve;
    })
  );

  /**
   * @param {string | URL} url of a route that starts a stream, or of a run, to attach to it
   * @param {ConsumerOptions} [options]
   * @throws {TypeError} the URL is not one
   */
  constructor(url, options = {}) {
    this.#platform = platformOf(options);
    this.#endpoint = new Endpoint(url, options, this.#platform);
    this.#handlers = new Handlers(this.#platform.report);
    this.#alarm = new Alarm(this.#platform, () => this.#run(this.#session.tick(this.#platform.now())));
    this.#session = new Session(settings(options, this.#endpoint), this.#platform.random);
    this.#lastForeignId = options.lastEventId ?? "";
    const { maxEventChars = MAX_EVENT_CHARS } = options;
    this.#parserOptions = { maxEventChars, onComment: this.#comment.bind(this) };
    options.signal?.addEventListener("abort", () => this.disconnect(), { signal: this.#left.signal });
    if (options.signal?.aborted) {
      this.disconnect();
    }
  }

  /** The id of the run, empty until the server has said it. */
  get streamId() {
    return this.#session.streamId;
  }

  /** The id of the last event that counts; another consumer that is given it goes on from there. */
  get lastEventId() {
    const { streamId, lastSeq } = this.#session;
    return streamId ? eventId(streamId, lastSeq) : this.#lastForeignId;
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

  /** @param {(event: SSEEvent) => unknown} handler hears of every event, data as they came */
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

  /** Opens the stream. The promise never rejects: a failure is a state too. */
  connect() {
    this.#run(this.#session.start(this.#platform.now()));
    return this.#outcome;
  }

  /** Leaves; the run goes on, unless it was stopped: then a first answer that is under way is waited for. */
  disconnect() {
    this.#leaving = true;
    const { phase } = this.#session;
    if (this.#stopWanted && !this.streamId && (phase === "connecting" || phase === "open")) return;
    this.#run(this.#session.disconnect());
  }

  /** Drops the connection and resumes at once, without a wait. */
  restart() {
    this.#run(this.#session.restart(this.#platform.now()));
  }

  /**
   * Ends the run; its stream then ends as `stopped`. While the server is about to say which run it is, this waits; when
   * it could not be asked at all, that is the end. A server that knows no runs is left.
   *
   * @returns {Promise<boolean>} whether the server agreed, once it answered
   */
  stop() {
    this.#stopping ??= this.#stop().then((agreed) => {
      this.#stopping = agreed ? this.#stopping : null;
      return agreed;
    });
    return this.#stopping;
  }

  async #stop() {
    this.#stopWanted = true;
    this.#leaveIfUnheard();
    await this.#place;
    if (!this.streamId || ["done", "stopped", "error"].includes(this.state)) {
      return false;
    }
    try {
      const { url, init } = await this.#endpoint.stop(this.streamId);
      const response = await this.#platform.fetch(url, init);
      response.body?.cancel().catch(() => {});
      if (this.state === "waiting") {
        this.restart();
      }
      return response.ok;
    } catch {
      return false;
    }
  }

  /** @param {string} topic @param {import("./transport/handlers.js").Handler} handler */
  #listen(topic, handler) {
    this.#handlers.add(topic, handler);
    return this;
  }

  /** @param {string} comment */
  #comment(comment) {
    this.#handlers.say("comment", comment);
  }

  /**
   * Carries actions out, one after the other also when a handler causes more of them.
   *
   * @param {Action[]} actions
   */
  #run(actions) {
    this.#todo.push(...actions);
    if (this.#busy) {
      return;
    }
    this.#busy = true;
    try {
      for (let action = this.#todo.shift(); action; action = this.#todo.shift()) {
        this.#do(action);
      }
    } finally {
      this.#busy = false;
    }
    this.#alarm.set(this.#session.deadlineMs);
    if (this.streamId || this.#session.phase === "ended") {
      this.#placeKnown();
    }
    this.#leaveIfUnheard();
  }

  /** A stop that has nothing more to wait for: the run is known to those who left, or no attempt is under way. */
  #leaveIfUnheard() {
    if (!this.#stopWanted) return;
    const { phase } = this.#session;
    if (this.streamId ? this.#leaving && phase !== "ended" : phase === "waiting") {
      this.#run(this.#session.disconnect());
    }
  }

  /** @param {Action} action */
  #do(action) {
    switch (action.do) {
      case "connect":
        return this.#open(action);
      case "close":
        return this.#drop();
      case "wait": {
        const { attempt, delayMs, reason } = action;
        return this.#enter("waiting", { attempt, delayMs, reason });
      }
      case "deliver":
        return this.#deliver(action.event);
      case "reset":
        return this.#handlers.say("reset");
      case "finish":
        return this.#finish(action);
    }
  }

  /** @param {Connect} connect */
  #open(connect) {
    const { connection, reason, streamId, after, lastEventId } = connect;
    this.#enter("connecting", { connection, reason });
    const parser = new Parser({
      ...this.#parserOptions,
      lastEventId: streamId ? eventId(streamId, after) : lastEventId,
    });
    this.#drop = openFetch(() => this.#endpoint.request(connect), this.#platform, {
      head: (head) => this.#opened(head),
      bytes: (bytes) => this.#read(parser, bytes),
      ended: () => this.#run(this.#session.ended(this.#platform.now())),
      failed: (why) => this.#run(this.#session.failed(why, this.#platform.now())),
    });
  }

  /** @param {import("./protocol/actions.js").Head} head */
  #opened(head) {
    this.#run(this.#session.head(head, this.#platform.now()));
    if (this.#session.phase === "open") {
      this.#enter("open", {});
    }
  }

  /** @param {Parser} parser @param {Uint8Array} bytes */
  #read(parser, bytes) {
    const nowMs = this.#platform.now();
    this.#session.bytesArrived(nowMs);
    try {
      const events = parser.feed(bytes);
      if (parser.retryMs !== null) {
        this.#session.retry(parser.retryMs);
      }
      for (const event of events) {
        this.#run(this.#session.event(event, nowMs));
      }
    } catch (error) {
      if (!(error instanceof LimitExceeded)) {
        throw error;
      }
      this.#run(this.#session.refuse(error.code, error.message));
    }
  }

  /** @param {State} state @param {Record<string, unknown>} detail */
  #enter(state, detail) {
    this.state = state;
    this.#handlers.say("state", state, Object.freeze(detail));
  }

  /** @param {SSEEvent} event */
  #deliver(event) {
    this.#lastName = event.event;
    if (!this.streamId) {
      this.#lastForeignId = event.id;
    }
    this.#handlers.say("any", event);
    const topic = `event:${event.event}`;
    if (this.#handlers.has(topic)) {
      this.#handlers.say(topic, parsed(event.data), event);
    }
    if (this.#stopWanted && !this.streamId) {
      this.#run(this.#session.disconnect());
    }
  }

  /** @param {Finish} finish */
  #finish({ state: ending, code, message }) {
    const unheard = this.#stopWanted && !this.#leaving && !this.streamId && !this.#lastName;
    const state = ending === "closed" && unheard ? "stopped" : ending;
    this.error = code ? { code, message } : null;
    if (code && this.#lastName !== "error") {
      this.#handlers.say("event:error", { message, code, type: state, retryable: false }, null);
    }
    this.#enter(state, { code, message });
    this.#left.abort();
    this.#finished(state);
  }
}

/**
 * @param {ConsumerOptions} options
 * @param {Endpoint} endpoint
 */
function settings(options, { method, place, logged }) {
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
    repeatable: method === "GET",
    logged,
  };
}

/** @param {string} data */
function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}
