/** The flight recorder of a page: from its reading and its screen to the server, for whoever measures. */
import { Flight } from "./flight.js";
import { Times } from "./times.js";

/** @typedef {import("./reading.js").Reading} Reading */
/** @typedef {import("./view/screen.js").Screen} Screen */
/** @typedef {import("./transport/platform.js").Platform} Platform */
/**
 * @typedef {object} RecorderOptions
 * @property {() => boolean} wanted whether runs that begin now are recorded
 * @property {Platform} platform
 * @property {Pick<EventTarget, "addEventListener">} page tells when it is left
 * @property {AbortSignal} signal
 */

/** Records every run of a reading. The relay has no way for rows: of its runs, the kernel's times are all there is. */
export class Recorder {
  #reading;
  #screen;
  #options;
  #times;
  /** @type {{question: string, atMs: number} | null} what was asked in this page, until text of it comes or its end */
  #asked = null;
  /** What the run that is read began with, of that. @type {{question: string, atMs: number} | null} */
  #begun = null;
  /** @type {Flight | null} */
  #flight = null;

  /** @param {Reading} reading @param {Pick<Screen, "show">} screen @param {RecorderOptions} options */
  constructor(reading, screen, options) {
    const { platform, page, signal } = options;
    this.#reading = reading;
    this.#screen = screen;
    this.#options = options;
    this.#times = new Times(platform.now);
    reading.listen(this.#hearing(), signal);
    page.addEventListener("pagehide", () => this.#flight?.last(), { signal });
    signal.addEventListener("abort", () => this.#flight?.leave());
  }

  /** @returns {import("./transcript.js").Listener} */
  #hearing() {
    return {
      ask: (question) => {
        this.#asked = { question, atMs: this.#options.platform.now() };
      },
      begin: (question) => this.#begin(question),
      event: (event, arrival) =>
        this.#hear((flight) => {
          if (event.event === "hello") flight.greet(this.#reading.streamId, this.#reading.courier);
          flight.spans.event(event, arrival);
        }),
      text: (text, atOnce) => {
        this.#asked = null;
        this.#flight?.spans.text(text, atOnce);
      },
      clear: () => this.#flight?.spans.clear(),
      shown: (text, showing) => this.#shown(text, showing),
      standing: (standing) => this.#stand(standing),
    };
  }

  /** @param {(flight: Flight) => void} hear */
  #hear(hear) {
    const flight = this.#flight;
    if (!flight || flight.closed) return;
    hear(flight);
    flight.look();
  }

  /** @param {import("./transcript.js").Standing} standing */
  #stand(standing) {
    const { connection } = standing.detail;
    // An interrupted run that is resumed has another reader: the first one said that it was over.
    const told = this.#flight?.closed && !this.#flight.refused;
    if (told && this.#reading.live && connection) this.#fly(null);
    this.#hear((flight) => flight.spans.standing(standing, standing.sinceMs));
    // The end of the run before may come after the next question.
    if (this.#reading.over && this.#asked === this.#begun) this.#asked = null;
  }

  /** @param {string} question */
  #begin(question) {
    this.#flight?.leave();
    this.#begun = this.#asked?.question === question ? this.#asked : null;
    this.#fly(this.#begun?.atMs ?? null);
  }

  /** @param {number | null} askedMs */
  #fly(askedMs) {
    const { wanted, platform } = this.#options;
    const trace = wanted();
    this.#reading.update({ trace: trace && "write" });
    this.#flight = trace ? new Flight(askedMs, this.#times, platform) : null;
  }

  /** @param {string} text @param {import("./transcript.js").Showing} showing */
  #shown(text, { atMs, framed }) {
    const flight = this.#flight;
    if (!flight || flight.closed) return;
    const { spans } = flight;
    const before = spans.shown;
    spans.show(text, atMs);
    const { shown } = spans;
    if (!spans.live) flight.look();
    if (shown === before) return;
    this.#screen.show(framed, (paintMs) => {
      spans.paint(shown, paintMs);
      flight.look();
    });
  }
}
