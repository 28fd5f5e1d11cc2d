/** The text that has arrived of one run, and whoever hears of it. */

/** @typedef {import("./consumer.js").State} State */
/** @typedef {import("./listening.js").Arrival} Arrival */
/**
 * Where a reading stands: the consumer's state and detail, and when it began (ms of `now`).
 *
 * @typedef {{state: State, detail: Readonly<Record<string, any>>, sinceMs: number}} Standing
 */
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

/** Text is only ever added to, until another begins. Whoever fills it tells all else that listeners hear, too. */
export class Transcript {
  text = "";
  /** UTF-16 units of the text that some view has shown already. */
  shown = 0;
  /** @type {Set<Listener>} */
  #listeners = new Set();
  /** @type {string | null} what has come again of the text that is there already */
  #again = null;

  /** @param {Listener} listener @param {AbortSignal} signal */
  listen(listener, signal) {
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener));
  }

  /** @param {number} shown UTF-16 units of the text that a view shows by now @param {Showing} showing */
  show(shown, showing) {
    if (shown <= this.shown) return;
    const text = this.text.slice(this.shown, shown);
    this.shown = shown;
    this.say("shown", text, showing);
  }

  /** Compares what is heard from here on with the text that is there. @protected */
  compare() {
    this.#again = "";
  }

  /** Goes on without the comparison, with the text that is there. @protected */
  trust() {
    this.#again = null;
  }

  /** @protected @param {string} text @param {boolean} atOnce */
  hear(text, atOnce) {
    if (this.#again === null) return this.#append(text, atOnce);
    this.#again += text;
    if (!this.text.startsWith(this.#again)) this.agree(atOnce);
  }

  /** Ends the comparison: what was heard last is right. @protected */
  agree(atOnce = true) {
    const text = this.#again;
    if (text === null) return;
    this.#again = null;
    this.become(text, atOnce);
  }

  /** Changes as little as can be to be this text. @protected @param {string} text @param {boolean} atOnce */
  become(text, atOnce) {
    if (!text.startsWith(this.text)) this.clear();
    this.#append(text.slice(this.text.length), atOnce);
  }

  /** @protected */
  clear() {
    this.#again = null;
    this.text = "";
    this.shown = 0;
    this.say("clear");
  }

  /**
   * @protected
   * @template {keyof Hearing} Topic
   * @param {Topic} topic
   * @param {Parameters<Hearing[Topic]>} values
   */
  say(topic, ...values) {
    for (const listener of this.#listeners) {
      /** @type {((...values: any[]) => void) | undefined} */ (listener[topic])?.call(listener, ...values);
    }
  }

  /** @param {string} text @param {boolean} atOnce */
  #append(text, atOnce) {
    if (!text) return;
    this.text += text;
    this.say("text", text, atOnce);
  }
}
