/** The page's side of one run: the consumer that follows it, and the text that has arrived, for all its views. */

import { eventId } from "./protocol/events.js";
import { Transcript } from "./transcript.js";

/** @typedef {import("./consumer.js").Consumer} Consumer */
/** @typedef {import("./consumer.js").State} State */
/** @typedef {import("./transcript.js").Standing} Standing */
/** @typedef {{lastEventId: string, snapshot: boolean}} Place where a consumer goes on from */
/** @typedef {(place: Place) => Consumer} Opener */
/** @typedef {{reconnect?: boolean, heartbeatS?: number | null, trace?: boolean | "write"}} Connection what a consumer takes while it is at work */

const LIVE = ["connecting", "open", "waiting"];
/** @type {readonly string[]} */
export const OVER = ["done", "stopped", "error", "interrupted", "gap", "closed"];

/** One run at a time. Views come and go; what has arrived stays. */
export class Reading extends Transcript {
  question = "";
  /** Why the stream takes the way it takes, empty when it is the first one. */
  transportReason = "";
  beatMs = 0;
  #now;
  /** @type {Standing} */
  #standing = { state: "idle", detail: {}, sinceMs: 0 };
  /** @type {Consumer | null} */
  #consumer = null;
  /** @type {Opener | null} */
  #open = null;
  /** @type {Connection} */
  #connection = {};
  /** Of consumers that were replaced by one that goes on. */
  #earlierBytes = 0;

  /** @param {() => number} [now] ms of a steady clock */
  constructor(now = () => performance.now()) {
    super();
    this.#now = now;
  }

  get standing() {
    return this.#standing;
  }

  get streamId() {
    return this.#consumer?.streamId ?? "";
  }

  /** Says things to the server of the run that is read; null where this page reaches none. */
  get courier() {
    return this.#consumer?.courier ?? null;
  }

  /** How many bytes have come of the stream. */
  get bytes() {
    return this.#earlierBytes + (this.#consumer?.bytes ?? 0);
  }

  /** The way that the stream takes, empty when there is none. */
  get transport() {
    return this.#consumer?.transport ?? "";
  }

  /** Whether a run is being read. */
  get live() {
    return LIVE.includes(this.#standing.state);
  }

  get over() {
    return OVER.includes(this.#standing.state);
  }

  /** Whether this page itself reads it. */
  get following() {
    return this.live && this.#consumer !== null;
  }

  /** Whether someone else would have to read it for this page. */
  get lost() {
    const { state } = this.#standing;
    const failed = ["interrupted", "error", "gap"].includes(state);
    return !this.#consumer || failed || (state === "waiting" && !this.text);
  }

  /** Whether `resume` has something to go on with. */
  get resumable() {
    return this.#standing.state === "interrupted" && this.#consumer !== null;
  }

  /** Notes that somebody asks in this page, before anything is done about it. @param {string} question */
  ask(question) {
    this.say("ask", question);
  }

  /**
   * Follows another run, from its start or, with `snapshot`, from its text so far.
   *
   * @param {string} question
   * @param {Opener} open
   * @param {{snapshot?: boolean}} [options]
   */
  follow(question, open, { snapshot = false } = {}) {
    this.#begin(question, "", snapshot);
    this.#open = open;
    return this.#connect({ lastEventId: "", snapshot });
  }

  /**
   * @param {string} question of a run that has no id yet
   * @param {string} [code] what is said meanwhile, if not that it connects
   */
  begin(question, code = "") {
    this.#begin(question, code, false);
  }

  /** @param {string} question @param {string} code @param {boolean} joined */
  #begin(question, code, joined) {
    this.#leave();
    this.question = question;
    this.#earlierBytes = 0;
    this.say("begin", question, joined);
    this.clear();
    this.#enter("connecting", { code });
  }

  /**
   * Shows a run that is over, or was read by someone else.
   *
   * @param {string} text
   * @param {State} state
   * @param {string} [message]
   * @param {string} [code]
   */
  settle(text, state, message = "", code = "") {
    this.#leave();
    this.become(text, true);
    this.#enter(state, { code, message });
  }

  /** After an interruption: reads the text so far again, so that all of it is checked, and shows what is new. */
  resume() {
    if (!this.#consumer || !this.resumable) return;
    const { streamId, lastEventId, bytes } = this.#consumer;
    this.#earlierBytes += bytes;
    if (streamId) this.compare();
    else this.trust();
    this.#connect({ lastEventId: streamId ? eventId(streamId, 0) : lastEventId, snapshot: streamId !== "" });
  }

  /** Drops the connection; it comes back at once, unless reconnection is off. */
  cut() {
    this.#consumer?.cut();
  }

  /**
   * Changes knobs of the run that is read.
   *
   * @param {Record<string, number | boolean>} changes by their names on the wire
   * @returns {Promise<"tuned" | "refused" | "unreachable">} refused also when there is no run that could be tuned
   */
  async tune(changes) {
    if (!this.#consumer || !this.live) return "refused";
    try {
      return (await this.#consumer.tune(changes)) ? "tuned" : "refused";
    } catch {
      return "unreachable";
    }
  }

  /** @param {Connection} changes of this page's connections, this one and those to come */
  update(changes) {
    this.#connection = { ...this.#connection, ...changes };
    if (this.following) this.#consumer?.update(changes);
  }

  /** Ends the run. */
  async stop() {
    await this.#consumer?.stop();
  }

  /** Lets go of the network; what has arrived stays. */
  close() {
    this.#leave();
  }

  #leave() {
    const consumer = this.#consumer;
    this.#consumer = null;
    this.trust();
    consumer?.disconnect();
  }

  /** @param {Place} place */
  #connect(place) {
    const consumer = /** @type {Opener} */ (this.#open)(place);
    this.#consumer = consumer;
    this.transportReason = "";
    consumer.update(this.#connection);
    let old = place.snapshot;
    /** @type {<A extends unknown[]>(hear: (...values: A) => void) => (...values: A) => void} */
    const current =
      (hear) =>
      (...values) => {
        if (this.#consumer === consumer) hear(...values);
      };
    consumer
      .onEvent(
        current((event, arrival) => {
          // It comes with what it speaks of: one sign of life is enough for both.
          if (event.event !== "timing") this.#beat();
          this.say("event", event, arrival);
        }),
      )
      .onTransport(
        current((name, reason) => {
          this.transportReason = reason;
          this.say("transport", name, reason);
        }),
      )
      .onComment(current(() => this.#beat()))
      .onReset(current(() => this.clear()))
      .onState(
        current((state, detail) => {
          if (state === "done" || state === "stopped") this.agree();
          this.#enter(state, detail);
        }),
      )
      .onDelta(
        current((delta) => {
          if (typeof delta?.text === "string") this.hear(delta.text, old);
          old = false;
        }),
      );
    return consumer.connect();
  }

  /** @param {State} state @param {Readonly<Record<string, any>>} detail */
  #enter(state, detail) {
    this.#standing = { state, detail, sinceMs: this.#now() };
    this.say("standing", this.#standing);
  }

  #beat() {
    this.beatMs = this.#now();
    this.say("beat");
  }
}
