/** The fault plan of the questions to come: one for all views of a page. What a plan says is no business of this. Pure. */

/** @typedef {"page" | "kernel"} Origin who has chosen it */
/** @typedef {(origin: Origin) => void} Heard */

/** Holds the plan as JSON, and tells of every change. */
export class Faults {
  /** Whether the server carries plans out. */
  allowed = false;
  /** The plan of questions to come, empty without one. */
  text = "";
  /** The plan of the stream that was asked for last, empty without one. */
  running = "";
  /** @type {Set<Heard>} */
  #listeners = new Set();
  #learn;

  /** @param {() => unknown} [learn] finds out whether the server allows faults; called once somebody looks */
  constructor(learn = () => {}) {
    this.#learn = learn;
  }

  /** Somebody looks. */
  seen() {
    const learn = this.#learn;
    this.#learn = () => {};
    learn();
  }

  /** @param {{allowed?: boolean, text?: string}} changes @param {Origin} [origin] */
  set({ allowed = this.allowed, text = this.text }, origin = "page") {
    if (allowed === this.allowed && text === this.text) return;
    this.allowed = allowed;
    this.text = text;
    this.#tell(origin);
  }

  /**
   * Asks for a plan with the URL of a stream, which every later connection repeats.
   *
   * @param {URL} url
   * @param {string} [text]
   */
  onto(url, text = this.text) {
    this.running = text;
    if (text) url.searchParams.set("fault", text);
    this.#tell("kernel");
    return url;
  }

  /** @param {Heard} listener @param {AbortSignal} signal */
  listen(listener, signal) {
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener));
  }

  /** @param {Origin} origin */
  #tell(origin) {
    for (const listener of [...this.#listeners]) listener(origin);
  }
}
