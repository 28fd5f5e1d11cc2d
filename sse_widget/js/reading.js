/** The page's side of one run: the consumer that follows it, and the text that has arrived, for all its views. */

/** @typedef {import("./consumer.js").SSEConsumer} SSEConsumer */
/** @typedef {import("./consumer.js").State} State */
/**
 * Where a reading stands: the consumer's state and detail, and when it began (ms of `now`).
 *
 * @typedef {{state: State, detail: Readonly<Record<string, any>>, sinceMs: number}} Standing
 */
/** @typedef {{lastEventId: string, snapshot: boolean}} Place where a consumer goes on from */
/** @typedef {(place: Place) => SSEConsumer} Opener */
/**
 * What a view hears. `text` comes `atOnce` when it is old: what was there before this page looked.
 *
 * @typedef {object} Listener
 * @property {(text: string, atOnce: boolean) => void} text
 * @property {() => void} clear another text begins
 * @property {(standing: Standing) => void} standing
 * @property {() => void} beat something arrived
 */

const LIVE = ["connecting", "open", "waiting"];

/** One run at a time. Views come and go; what has arrived stays. */
export class Reading {
  question = "";
  text = "";
  /** UTF-16 units of the text that some view has shown already. */
  shown = 0;
  beatMs = 0;
  #now;
  /** @type {Standing} */
  #standing = { state: "idle", detail: {}, sinceMs: 0 };
  /** @type {Set<Listener>} */
  #listeners = new Set();
  /** @type {SSEConsumer | null} */
  #consumer = null;
  /** @type {Opener | null} */
  #open = null;

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

  /** Whether a run is being read. */
  get live() {
    return LIVE.includes(this.#standing.state);
  }

  /** @param {Listener} listener @param {AbortSignal} signal */
  listen(listener, signal) {
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener));
  }

  /**
   * Follows another run, from its start or, with `snapshot`, from its text so far.
   *
   * @param {string} question
   * @param {Opener} open
   * @param {{snapshot?: boolean}} [options]
   */
  follow(question, open, { snapshot = false } = {}) {
    this.begin(question);
    this.#open = open;
    return this.#connect({ lastEventId: "", snapshot });
  }

  /** @param {string} question of a run that has no id yet */
  begin(question) {
    this.#leave();
    this.question = question;
    this.#clear();
    this.#enter("connecting", {});
  }

  /**
   * Shows a run that is over, or was read by someone else.
   *
   * @param {string} text
   * @param {State} state
   * @param {string} [message]
   */
  settle(text, state, message = "") {
    this.#leave();
    if (!text.startsWith(this.text)) this.#clear();
    this.#append(text.slice(this.text.length), true);
    this.#enter(state, { code: "", message });
  }

  /** After an interruption: goes on where it broke. */
  resume() {
    if (this.#standing.state !== "interrupted" || !this.#consumer) return;
    this.#connect({ lastEventId: this.#consumer.lastEventId, snapshot: false });
  }

  /** Drops the connection; it comes back at once. */
  cut() {
    this.#consumer?.restart();
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
    consumer?.disconnect();
  }

  /** @param {Place} place */
  #connect(place) {
    const consumer = /** @type {Opener} */ (this.#open)(place);
    this.#consumer = consumer;
    let old = place.snapshot;
    /** @type {<A extends unknown[]>(hear: (...values: A) => void) => (...values: A) => void} */
    const current =
      (hear) =>
      (...values) => {
        if (this.#consumer === consumer) hear(...values);
      };
    consumer
      .onEvent(current(() => this.#beat()))
      .onComment(current(() => this.#beat()))
      .onReset(current(() => this.#clear()))
      .onState(current((state, detail) => this.#enter(state, detail)))
      .onDelta(
        current((delta) => {
          if (typeof delta?.text === "string") this.#append(delta.text, old);
          old = false;
        }),
      );
    return consumer.connect();
  }

  #clear() {
    this.text = "";
    this.shown = 0;
    for (const listener of this.#listeners) listener.clear();
  }

  /** @param {string} text @param {boolean} atOnce */
  #append(text, atOnce) {
    if (!text) return;
    this.text += text;
    for (const listener of this.#listeners) listener.text(text, atOnce);
  }

  /** @param {State} state @param {Readonly<Record<string, any>>} detail */
  #enter(state, detail) {
    this.#standing = { state, detail, sinceMs: this.#now() };
    for (const listener of this.#listeners) listener.standing(this.#standing);
  }

  #beat() {
    this.beatMs = this.#now();
    for (const listener of this.#listeners) listener.beat();
  }
}
