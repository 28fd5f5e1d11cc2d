/**
 * How a reader follows one stream over many connections: a state machine without I/O.
 *
 * Inputs are what a transport saw (a response head, bytes, events, an end, a failure, a timer); each returns the
 * actions that the shell carries out, in order. Times are milliseconds of any steady clock. Twin of
 * protocol/session.py; tests/vectors/session.json holds both to the same transcripts.
 */
import { DEFAULTS } from "./actions.js";
import { Checksum } from "./checksum.js";
import {
  CONNECTION_EVENTS,
  CONTENT_TYPE,
  decode,
  eventId,
  flag,
  load,
  number,
  parseEventId,
  TEXT,
  text,
  textOf,
} from "./events.js";
import { failureOfEvent, failureOfHead, LOST, waitOf } from "./failure.js";

/** @typedef {import("./actions.js").Action} Action */
/** @typedef {import("./actions.js").Head} Head */
/** @typedef {import("./actions.js").SessionConfig} SessionConfig */
/** @typedef {import("./events.js").TerminalState} TerminalState */
/** @typedef {import("./sse.js").SSEEvent} SSEEvent */
/** @typedef {import("./failure.js").Failure} Failure */

/** The watchdog waits for this many heartbeat intervals: two may be lost, the third is not yet late. */
export const HEARTBEATS_MISSED = 2.25;

const GREETING = {
  stream_id: { ...text, missing: "" },
  heartbeat_s: { ...number, missing: 0 },
  gap: { ...flag, missing: false },
};
/** @type {Action} */
const CLOSE = Object.freeze({ do: "close" });

/** One reader of one stream. `deadlineMs` is when to call `tick`, null when never. */
export class Session {
  /** @type {import("./actions.js").Phase} */
  phase = "idle";
  attempt = 0;
  connection = 0;
  /** @type {number | null} */
  deadlineMs = null;
  #config;
  #reconnect;
  #random;
  #backoff;
  #heartbeatMs;
  #logged;
  #lastEventId;
  #snapshot;
  #checkable;
  #answered = false;
  #jump = false;
  #checksum = new Checksum();
  #reread = false;
  #holeAfter = -1;
  #reason = "";
  /** @type {Failure | null} */
  #refusal = null;

  /**
   * @param {Partial<SessionConfig>} config
   * @param {() => number} unitRandom numbers in [0, 1)
   */
  constructor(config, unitRandom) {
    this.#config = { ...DEFAULTS, ...config };
    this.#reconnect = this.#config.reconnect;
    this.#random = unitRandom;
    this.streamId = this.#config.streamId;
    this.lastSeq = this.#config.after;
    this.#backoff = this.#config.backoff;
    this.#heartbeatMs = this.#config.heartbeatTimeoutMs;
    this.#logged = this.#config.logged || this.streamId !== "";
    this.#lastEventId = this.#config.lastEventId;
    this.#snapshot = this.#config.snapshot;
    this.#checkable = this.lastSeq === 0;
  }

  /** Whether an interruption is mended. */
  get reconnect() {
    return this.#reconnect;
  }

  /**
   * Begins: the first connection.
   *
   * @param {number} nowMs
   * @returns {Action[]}
   */
  start(nowMs) {
    return this.phase === "idle" ? [this.#connect("", nowMs)] : [];
  }

  /**
   * Takes the response head, or the whole refusal.
   *
   * @param {Head} head
   * @param {number} nowMs
   * @returns {Action[]}
   */
  head(head, nowMs) {
    if (this.phase !== "connecting") {
      return [];
    }
    if (head.status === 200) {
      return this.#opened(head, nowMs);
    }
    if (head.status === 204) {
      return this.#nothingLeft(nowMs);
    }
    if (head.status < 100 && this.#mayReturn()) {
      return [CLOSE, this.#broken("head_cut", nowMs)];
    }
    const failure = failureOfHead(head);
    const atLeastMs = waitOf(head);
    if (atLeastMs === null) {
      return [CLOSE, this.#finish("error", failure.code, failure.message)];
    }
    this.#refusal = failure;
    return [CLOSE, this.#broken(`http_${head.status}`, nowMs, atLeastMs)];
  }

  /**
   * Notes that the connection lives: any byte counts, not only events.
   *
   * @param {number} nowMs
   */
  bytesArrived(nowMs) {
    if (this.phase === "open") {
      this.deadlineMs = nowMs + this.#heartbeatMs;
    }
  }

  /**
   * Takes the server's `retry:`.
   *
   * @param {number} retryMs
   */
  retry(retryMs) {
    this.#backoff = this.#backoff.withRetry(retryMs);
  }

  /**
   * Takes one parsed event.
   *
   * @param {SSEEvent} event
   * @param {number} nowMs
   * @returns {Action[]}
   */
  event(event, nowMs) {
    if (this.phase !== "open") {
      return [];
    }
    if (event.event === "hello") {
      return this.#hello(event, nowMs);
    }
    if (CONNECTION_EVENTS.has(event.event) && this.#logged) {
      return [{ do: "deliver", event }];
    }
    const place = parseEventId(event.id);
    if (place === null) {
      return this.#foreign(event, nowMs);
    }
    this.#logged = true;
    this.streamId ||= place.streamId;
    if (place.streamId !== this.streamId) {
      return [CLOSE, this.#broken("wrong_stream", nowMs)];
    }
    // An error without an id of its own carries the last one: it refuses this attempt only.
    if (event.event === "error" && place.seq <= this.lastSeq) {
      return this.#refused(event, nowMs);
    }
    return this.#inOrder(event, place.seq, nowMs);
  }

  /**
   * Takes the end of the body: without a terminal event it is an interruption, never a success.
   *
   * @param {number} nowMs
   * @returns {Action[]}
   */
  ended(nowMs) {
    if (this.phase !== "open") {
      return [];
    }
    if (!this.#logged && !this.#config.repeatable) {
      return [this.#finish("done", "", "")];
    }
    return [this.#broken("ended", nowMs)];
  }

  /**
   * Takes a connection that could not be made or broke; `reason` is a short word for logs and the server.
   *
   * @param {string} reason
   * @param {number} nowMs
   * @returns {Action[]}
   */
  failed(reason, nowMs) {
    return this.phase === "connecting" || this.phase === "open" ? [this.#broken(reason, nowMs)] : [];
  }

  /**
   * Ends in `error` for a reason that the shell found, such as an event over its limit.
   *
   * @param {string} code
   * @param {string} message
   * @returns {Action[]}
   */
  refuse(code, message) {
    return this.phase === "ended" ? [] : [CLOSE, this.#finish("error", code, message)];
  }

  /**
   * Acts on a deadline that has passed: a wait is over, or the watchdog barks.
   *
   * @param {number} nowMs
   * @returns {Action[]}
   */
  tick(nowMs) {
    if (this.deadlineMs === null || nowMs < this.deadlineMs) {
      return [];
    }
    if (this.phase === "waiting") {
      return [this.#connect(this.#reason, nowMs)];
    }
    return [CLOSE, this.#broken("idle", nowMs)];
  }

  /**
   * Drops the connection and resumes at once.
   *
   * @param {number} nowMs
   * @param {string} [reason] a short word, as `failed` takes it
   * @returns {Action[]}
   */
  restart(nowMs, reason = "restart") {
    if (this.phase === "idle" || this.phase === "ended" || !this.#mayReturn()) {
      return [];
    }
    return [CLOSE, this.#connect(reason, nowMs)];
  }

  /**
   * Changes whether an interruption is mended. A wait for the next attempt ends when it is not.
   *
   * @param {boolean} reconnect
   * @returns {Action[]}
   */
  update(reconnect) {
    this.#reconnect = reconnect;
    return reconnect || this.phase !== "waiting" ? [] : [this.#giveUp()];
  }

  /**
   * Leaves; the run goes on.
   *
   * @returns {Action[]}
   */
  disconnect() {
    return this.phase === "ended" ? [] : [CLOSE, this.#finish("closed", "", "")];
  }

  /** @param {string} reason @param {number} nowMs @returns {Action} */
  #connect(reason, nowMs) {
    this.phase = "connecting";
    this.deadlineMs = nowMs + this.#heartbeatMs;
    this.connection += 1;
    this.#jump = this.#snapshot && this.streamId !== "" && this.lastSeq === 0;
    return {
      do: "connect",
      target: this.streamId ? "resume" : "start",
      streamId: this.streamId,
      after: this.lastSeq,
      lastEventId: this.#lastEventId,
      snapshot: this.#jump,
      connection: this.connection,
      reason,
    };
  }

  /** @param {number} nowMs @returns {Action[]} */
  #nothingLeft(nowMs) {
    // Who has read a stream to its end has seen what ends it, or it came in a form that could not be recognised.
    if (this.#logged && this.lastSeq > this.#config.after) return this.#mismatch(nowMs);
    return [CLOSE, this.#finish("done", "", "")];
  }

  /** @param {Head} head @param {number} nowMs @returns {Action[]} */
  #opened(head, nowMs) {
    const mediaType = (head.contentType.split(";")[0] ?? "").trim().toLowerCase();
    if (mediaType !== CONTENT_TYPE) {
      if (CONTENT_TYPE.startsWith(mediaType) && (this.#logged || this.#config.repeatable)) {
        // Chromium takes a head that was cut for a whole one.
        return [CLOSE, this.#broken("head_cut", nowMs)];
      }
      const message = `expected ${CONTENT_TYPE}, got ${head.contentType || "no content type"}`;
      return [CLOSE, this.#finish("error", "wrong_content_type", message)];
    }
    this.phase = "open";
    this.#answered = true;
    this.deadlineMs = nowMs + this.#heartbeatMs;
    if (!this.streamId && parseEventId(eventId(head.streamId, 0))) {
      this.#logged = true;
      this.streamId = head.streamId;
    }
    return [];
  }

  /** @param {SSEEvent} event @param {number} nowMs @returns {Action[]} */
  #hello(event, nowMs) {
    const hello = decode(event.data, GREETING);
    if (!hello?.stream_id) return this.#foreign(event, nowMs);
    this.#logged = true;
    this.streamId ||= hello.stream_id;
    if (hello.stream_id !== this.streamId) {
      return [CLOSE, this.#broken("wrong_stream", nowMs)];
    }
    this.#heartbeatMs = Math.max(
      this.#config.heartbeatTimeoutMs,
      HEARTBEATS_MISSED * 1000 * hello.heartbeat_s,
    );
    this.deadlineMs = nowMs + this.#heartbeatMs;
    if (hello.gap) {
      const lost = this.#finish("gap", "gap", "events that were not read yet are gone");
      return [{ do: "deliver", event }, CLOSE, lost];
    }
    return [{ do: "deliver", event }];
  }

  /** @param {SSEEvent} event @param {number} seq @param {number} nowMs @returns {Action[]} */
  #inOrder(event, seq, nowMs) {
    if (seq <= this.lastSeq) {
      return [];
    }
    if (seq > this.lastSeq + 1 && !this.#jump) {
      return this.#hole(nowMs);
    }
    this.#jump = false;
    this.lastSeq = seq;
    this.#progress();
    if (event.event === TEXT) {
      this.#checksum.add(textOf(event.data));
    } else if (event.event === "done") {
      return this.#done(event, nowMs);
    } else if (event.event === "error") {
      const { code, message } = failureOfEvent(event);
      return [{ do: "deliver", event }, CLOSE, this.#finish("error", code, message)];
    }
    return [{ do: "deliver", event }];
  }

  /** @param {number} nowMs @returns {Action[]} */
  #hole(nowMs) {
    if (this.#holeAfter === this.lastSeq || !this.#reconnect) {
      return [CLOSE, this.#finish("gap", "gap", `events after ${this.lastSeq} never arrived`)];
    }
    this.#holeAfter = this.lastSeq;
    return [CLOSE, this.#connect("hole", nowMs)];
  }

  /** @param {SSEEvent} event @param {number} nowMs @returns {Action[]} */
  #done(event, nowMs) {
    const ending = /** @type {import("./events.js").Done | null} */ (load("done", event.data));
    if (this.#checkable && !this.#checksum.agrees(event.data)) {
      return this.#mismatch(nowMs);
    }
    const state = ending?.reason === "stopped" ? "stopped" : "done";
    return [{ do: "deliver", event }, CLOSE, this.#finish(state, "", "")];
  }

  /** @param {number} nowMs @returns {Action[]} */
  #mismatch(nowMs) {
    if (this.#reread || !this.#reconnect || !this.#checkable) {
      const message = "the text does not match the length and checksum of the server, also when read again";
      return [CLOSE, this.#finish("error", "payload_mismatch", message)];
    }
    this.#reread = true;
    this.lastSeq = 0;
    this.#holeAfter = -1;
    this.#snapshot = false;
    this.#checksum = new Checksum();
    return [CLOSE, { do: "reset" }, this.#connect("payload_mismatch", nowMs)];
  }

  /**
   * An event without a seq: of another server, or a refusal of this attempt; or its id was spoilt on the way.
   *
   * @param {SSEEvent} event
   * @param {number} nowMs
   * @returns {Action[]}
   */
  #foreign(event, nowMs) {
    if (this.#logged) {
      // It is not delivered: the hole that it leaves is read again, and its text would then be there twice.
      return event.event === "error" ? this.#refused(event, nowMs) : [];
    }
    this.#lastEventId = event.id;
    this.#progress();
    return [{ do: "deliver", event }];
  }

  /** @param {SSEEvent} event @param {number} nowMs @returns {Action[]} */
  #refused(event, nowMs) {
    this.#refusal = failureOfEvent(event);
    return [CLOSE, this.#broken(this.#refusal.code, nowMs)];
  }

  #progress() {
    this.attempt = 0;
    this.#refusal = null;
  }

  /** @param {string} reason @param {number} nowMs @param {number} [atLeastMs] @returns {Action} */
  #broken(reason, nowMs, atLeastMs = 0) {
    this.#reason = reason;
    this.attempt += 1;
    if (!this.#reconnect || this.attempt > this.#config.maxAttempts || !this.#mayReturn()) {
      return this.#giveUp();
    }
    const delayMs = Math.max(atLeastMs, this.#backoff.delayMs(this.attempt, this.#random()));
    this.phase = "waiting";
    this.deadlineMs = nowMs + delayMs;
    return { do: "wait", delayMs, attempt: this.attempt, reason };
  }

  /** @returns {Action} */
  #giveUp() {
    const { code, message } = this.#refusal ?? LOST;
    return this.#finish("interrupted", code, message);
  }

  /** Whether another connection can be opened without asking the model again. */
  #mayReturn() {
    return this.#logged || this.#config.repeatable || !this.#answered;
  }

  /** @param {TerminalState} state @param {string} code @param {string} message @returns {Action} */
  #finish(state, code, message) {
    this.phase = "ended";
    this.deadlineMs = null;
    return { do: "finish", state, code, message };
  }
}
