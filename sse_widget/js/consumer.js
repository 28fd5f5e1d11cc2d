/** One stream, followed over as many connections as it takes, handed to whoever listens. */
import { Intake } from "./intake.js";
import { Listening } from "./listening.js";
import { sessionConfig } from "./options.js";
import { eventId } from "./protocol/events.js";
import { Session } from "./protocol/session.js";
import { Parser } from "./protocol/sse.js";
import { Alarm } from "./transport/alarm.js";
import { platformOf } from "./transport/platform.js";

/** @typedef {import("./protocol/actions.js").Action} Action */
/** @typedef {import("./protocol/actions.js").Connect} Connect */
/** @typedef {import("./protocol/actions.js").Finish} Finish */
/** @typedef {import("./protocol/events.js").TerminalState} TerminalState */
/** @typedef {import("./protocol/sse.js").SSEEvent} SSEEvent */
/** @typedef {import("./transport/transport.js").Transport} Transport */
/** @typedef {import("./listening.js").State} State */
/** @typedef {import("./listening.js").DataHandler} DataHandler */
/** @typedef {import("./options.js").ConsumerOwnOptions} ConsumerOwnOptions */
/** @typedef {Partial<import("./transport/platform.js").Platform>} Parts */

/** Reads one stream over a transport (design.md section 6). Text is not kept: `onReset` says when to forget it. */
export class Consumer extends Listening {
  /** @type {State} */
  state = "idle";
  /** @type {{code: string, message: string} | null} why it ended, unless it ended well */
  error = null;
  #platform;
  #transport;
  #via;
  #why = "";
  #heartbeatS;
  #trace;
  #session;
  #alarm;
  #intake;
  #drop = () => {};
  #connecting = {};
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
   * @param {Transport} transport
   * @param {ConsumerOwnOptions & Parts} [options]
   */
  constructor(transport, options = {}) {
    const platform = platformOf(options);
    super(platform.report);
    this.#platform = platform;
    this.#transport = transport;
    this.#via = transport.name;
    this.#heartbeatS = options.heartbeatS ?? null;
    this.#trace = options.trace ?? false;
    this.#alarm = new Alarm(platform, () => this.#run(this.#session.tick(platform.now())));
    this.#session = new Session(sessionConfig(options, transport), platform.random);
    this.#lastForeignId = options.lastEventId ?? "";
    this.#intake = new Intake(this.#session, {
      now: platform.now,
      run: (actions) => this.#run(actions),
      maxEventChars: options.maxEventChars,
    });
    options.signal?.addEventListener("abort", () => this.disconnect(), { signal: this.#left.signal });
    if (options.signal?.aborted) {
      this.disconnect();
    }
  }

  /** How many bytes the transport has brought: of the stream, not of HTTP. */
  get bytes() {
    return this.#intake.bytes;
  }

  /** The way that the stream takes: sse, websocket, poll or relay. */
  get transport() {
    return this.#via;
  }

  /** Says things to the server beside the stream; null where no request of this page reaches it. */
  get courier() {
    return this.#transport.courier();
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

  /** Breaks the connection, as a fault would: it is resumed at once, or, without reconnection, the reading is interrupted. */
  cut() {
    const { now } = this.#platform;
    if (this.#session.reconnect) return this.restart();
    if (this.state !== "open" && this.state !== "connecting") return;
    this.#drop();
    this.#run(this.#session.failed("cut", now()));
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
    const agreed = await this.#transport.stop(this.streamId);
    if (agreed && this.state === "waiting") {
      this.restart();
    }
    return agreed;
  }

  /**
   * Changes knobs of the run; while the server is about to say which run it is, this waits.
   *
   * @param {import("./transport/transport.js").Changes} changes chunk_tokens, chunk_ms, delay_ms
   * @returns {Promise<boolean>} whether the server agreed
   * @throws {Error} it could not be reached
   */
  async tune(changes) {
    await this.#place;
    return (
      this.streamId !== "" && this.#session.phase !== "ended" && this.#transport.tune(this.streamId, changes)
    );
  }

  /**
   * Changes options of a consumer at work. Another heartbeat is asked for by resuming at once; a wait for the next
   * attempt ends when reconnection is switched off. The server's times come with the connections to come.
   *
   * @param {{reconnect?: boolean, heartbeatS?: number | null, trace?: boolean | "write"}} changes
   */
  update({ reconnect, heartbeatS = this.#heartbeatS, trace = this.#trace }) {
    this.#trace = trace;
    if (reconnect !== undefined) {
      this.#run(this.#session.update(reconnect));
    }
    if (heartbeatS === this.#heartbeatS) return;
    this.#heartbeatS = heartbeatS;
    if (this.state === "open" || this.state === "connecting") {
      this.#run(this.#session.restart(this.#platform.now(), "heartbeat"));
    }
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
        return this.handlers.say("reset");
      case "finish":
        return this.#finish(action);
    }
  }

  /** @param {Connect} connect */
  #open(connect) {
    const { connection, reason, streamId, after, lastEventId } = connect;
    this.#connecting = { connection, reason };
    this.#waiting();
    const parser = new Parser({
      lastEventId: streamId ? eventId(streamId, after) : lastEventId,
      maxEventChars: this.#intake.maxEventChars,
      onComment: (comment) => this.handlers.say("comment", comment),
    });
    const { now } = this.#platform;
    this.#drop = this.#transport.open(
      { ...connect, heartbeatS: this.#heartbeatS, trace: this.#trace },
      {
        head: (head) => this.#opened(head),
        bytes: (bytes, atMs) => this.#intake.read(parser, bytes, atMs),
        event: (event, sizeBytes, atMs) => this.#intake.take(event, sizeBytes, atMs),
        ended: () => this.#run(this.#session.ended(now())),
        failed: (why) => this.#run(this.#session.failed(why, now())),
        again: (why) => this.#run(this.#session.restart(now(), why)),
        via: (name, why) => this.#goes(name, why),
      },
    );
  }

  #waiting() {
    const code = this.#transport.awaits;
    this.#enter("connecting", { ...this.#connecting, ...(code ? { code } : {}) });
  }

  /** @param {string} name @param {string} why */
  #goes(name, why) {
    if (name === this.#via && why === this.#why) return;
    this.#via = name;
    this.#why = why;
    if (this.state === "connecting") this.#waiting();
    this.handlers.say("transport", name, why);
  }

  /** @param {import("./protocol/actions.js").Head} head */
  #opened(head) {
    this.#run(this.#session.head(head, this.#platform.now()));
    if (this.#session.phase === "open") {
      this.#enter("open", {});
    }
  }

  /** @param {State} state @param {Record<string, unknown>} detail */
  #enter(state, detail) {
    this.state = state;
    this.handlers.say("state", state, Object.freeze(detail));
  }

  /** @param {SSEEvent} event */
  #deliver(event) {
    this.#lastName = event.event;
    if (!this.streamId) {
      this.#lastForeignId = event.id;
    }
    this.say(event, { receivedMs: this.#intake.receivedMs, parsedMs: this.#platform.now() });
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
      this.handlers.say("event:error", { message, code, type: state, retryable: false }, null);
    }
    this.#enter(state, { code, message });
    this.#left.abort();
    this.#finished(state);
  }
}
