/** The page's side of one run: the consumer that follows it, and the text that has arrived, for all its views. */

import { eventId } from "./protocol/events.js";

/** @typedef {import("./consumer.js").Consumer} Consumer */
/** @typedef {import("./consumer.js").State} State */
/**
 * Where a reading stands: the consumer's state and detail, and when it began (ms of `now`).
 *
 * @typedef {{state: State, detail: Readonly<Record<string, any>>, sinceMs: number}} Standing
 */
/** @typedef {{lastEventId: string, snapshot: boolean}} Place where a consumer goes on from */
/** @typedef {(place: Place) => Consumer} Opener */
/** @typedef {import("./listening.js").Arrival} Arrival */
/** @typedef {{atMs: number, framed: boolean}} Showing when text was put into the page, and whether the frame under way paints it */
/**
 * What a listener hears, as far as it wants to. `text` comes `atOnce` when it is old: what was there before this page
 * looked.
 *
 * @typedef {object} Hearing
 * @property {(question: string) => void} ask somebody asks in this page; what comes of it begins later
 * @property {(question: string, joined: boolean) => void} begin of another run, which may be under way already
 * @property {(text: string, atOnce: boolean) => void} text
 * @property {() => void} clear another text begins
 * @property {(text: string, showing: Showing) => void} shown this has newly been put into the page, by whichever view is first
 * @property {(standing: Standing) => void} standing
 * @property {(event: import("./protocol/sse.js").SSEEvent, arrival: Arrival) => void} event before its text is said
 * @property {() => void} beat something arrived
 * @property {(name: string, reason: string) => void} transport the stream takes another way
 */
/** @typedef {Partial<Hearing>} Listener */
/** @typedef {{reconnect?: boolean, heartbeatS?: number | null, trace?: boolean | "write"}} Connection what a consumer takes while it is at work */

const LIVE = ["connecting", "open", "waiting"];
/** @type {readonly string[]} */
export const OVER = ["done", "stopped", "error", "interrupted", "gap", "closed"];

/** One run at a time. Views come and go; what has arrived stays. */
export class Reading {
  question = "";
  text = "";
  /** UTF-16 units of the text that some view has shown already. */
  shown = 0;
  /** Why the stream takes the way it takes, empty when it is the first one. */
  transportReason = "";
  beatMs = 0;
  #now;
  /** @type {Standing} */
  #standing = { state: "idle", detail: {}, sinceMs: 0 };
  /** @type {Set<Listener>} */
  #listeners = new Set();
  /** @type {Consumer | null} */
  #consumer = null;
  /** @type {Opener | null} */
  #open = null;
  /** @type {Connection} */
  #connection = {};
  /** Of consumers that were replaced by one that goes on. */
  #earlierBytes = 0;
  /** @type {string | null} what a resumed consumer has said of the text that is there already */
  #again = null;

  /** @param {() => number} [now] ms of a steady clock */
  constructor(now = () => performance.now()) {
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

  /** @param {Listener} listener @param {AbortSignal} signal */
  listen(listener, signal) {
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener));
  }

  /** Notes that somebody asks in this page, before anything is done about it. @param {string} question */
  ask(question) {
    this.#say("ask", question);
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
    this.#say("begin", question, joined);
    this.#clear();
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
    if (!text.startsWith(this.text)) this.#clear();
    this.#append(text.slice(this.text.length), true);
    this.#enter(state, { code, message });
  }

  /** After an interruption: reads the text so far again, so that all of it is checked, and shows what is new. */
  resume() {
    if (!this.#consumer || !this.resumable) return;
    const { streamId, lastEventId, bytes } = this.#consumer;
    this.#earlierBytes += bytes;
    this.#again = streamId ? "" : null;
    this.#connect({ lastEventId: streamId ? eventId(streamId, 0) : lastEventId, snapshot: streamId !== "" });
  }

  /** Drops the connection; it comes back at once, unless reconnection is off. */
  cut() {
    this.#consumer?.cut();
  }

  /** @param {number} shown UTF-16 units of the text that a view shows by now @param {Showing} showing */
  show(shown, showing) {
    if (shown <= this.shown) return;
    const text = this.text.slice(this.shown, shown);
    this.shown = shown;
    this.#say("shown", text, showing);
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
    this.#again = null;
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
          this.#say("event", event, arrival);
        }),
      )
      .onTransport(
        current((name, reason) => {
          this.transportReason = reason;
          this.#say("transport", name, reason);
        }),
      )
      .onComment(current(() => this.#beat()))
      .onReset(current(() => this.#clear()))
      .onState(
        current((state, detail) => {
          if (state === "done" || state === "stopped") this.#replace();
          this.#enter(state, detail);
        }),
      )
      .onDelta(
        current((delta) => {
          if (typeof delta?.text === "string") this.#hear(delta.text, old);
          old = false;
        }),
      );
    return consumer.connect();
  }

  /** @param {string} text @param {boolean} atOnce */
  #hear(text, atOnce) {
    if (this.#again === null) return this.#append(text, atOnce);
    this.#again += text;
    if (!this.text.startsWith(this.#again)) this.#replace(atOnce);
  }

  /** Ends the comparison of a resumed text with the one that is shown: what was read last is right. */
  #replace(atOnce = true) {
    const text = this.#again;
    if (text === null) return;
    if (!text.startsWith(this.text)) this.#clear();
    this.#again = null;
    this.#append(text.slice(this.text.length), atOnce);
  }

  #clear() {
    this.#again = null;
    this.text = "";
    this.shown = 0;
    this.#say("clear");
  }

  /** @param {string} text @param {boolean} atOnce */
  #append(text, atOnce) {
    if (!text) return;
    this.text += text;
    this.#say("text", text, atOnce);
  }

  /** @param {State} state @param {Readonly<Record<string, any>>} detail */
  #enter(state, detail) {
    this.#standing = { state, detail, sinceMs: this.#now() };
    this.#say("standing", this.#standing);
  }

  #beat() {
    this.beatMs = this.#now();
    this.#say("beat");
  }

  /**
   * @template {keyof Hearing} Topic
   * @param {Topic} topic
   * @param {Parameters<Hearing[Topic]>} values
   */
  #say(topic, ...values) {
    for (const listener of this.#listeners) {
      /** @type {((...values: any[]) => void) | undefined} */ (listener[topic])?.call(listener, ...values);
    }
  }
}
