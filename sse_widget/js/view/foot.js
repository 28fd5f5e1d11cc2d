/** The foot of the panel: what the stream is doing, by which way, and what can be done about it. */
import { allow, onPress } from "./button.js";
import { CopyButton } from "./copy.js";
import { element } from "./element.js";
import { Heartbeat } from "./heartbeat.js";
import { StatusLine } from "./status.js";

/** @typedef {import("../reading.js").Reading} Reading */
/** @typedef {import("../transcript.js").Standing} Standing */
/** @typedef {import("./words.js").Words} Words */

/** One row, in two where it is narrow. */
export class Foot {
  #reading;
  #words;
  #status;
  #heartbeat;
  #parts;
  #copy;

  /**
   * @param {Reading} reading
   * @param {{words: Words, lang: string}} said
   * @param {{folds: HTMLElement[], copyText: () => string, signal: AbortSignal}} options
   */
  constructor(reading, { words, lang }, { folds, copyText, signal }) {
    this.#reading = reading;
    this.#words = words;
    this.#parts = parts(words);
    const { dot, status, via, resume, cut, stop } = this.#parts;
    via.append(this.#parts.way);
    this.#status = new StatusLine(status, lang, signal);
    this.#heartbeat = new Heartbeat(dot, reading, words, signal);
    this.#copy = new CopyButton(words, copyText, signal).element;
    onPress(resume, () => reading.resume(), signal);
    onPress(cut, () => reading.cut(), signal);
    onPress(stop, () => this.#stop(), signal);
    const state = element("div", { className: "ssew-state" }, dot, status, via);
    const actions = element("div", { className: "ssew-actions" }, ...folds, this.#copy, resume, cut, stop);
    this.element = element("div", { className: "ssew-foot" }, state, actions, this.#parts.why);
  }

  beat() {
    this.#heartbeat.beat();
  }

  /** @param {Standing} standing @returns {string} what the status line says of it */
  text(standing) {
    return this.#status.text(standing);
  }

  /** @param {Standing} standing */
  show(standing) {
    const { dot, resume, cut, stop } = this.#parts;
    const { following, resumable } = this.#reading;
    this.#status.show(standing);
    dot.setAttribute("data-state", standing.state);
    const held = resume.matches(":focus");
    resume.hidden = !resumable;
    allow(cut, following);
    allow(stop, following);
    if (held && resume.hidden) stop.focus();
    allow(this.#copy, this.#reading.text !== "");
    this.way();
  }

  /** Text has come, so there is something to copy. */
  filled() {
    allow(this.#copy, true);
  }

  /** Says by which way the stream comes, and why it is not the usual one. */
  way() {
    const { transport, transportReason } = this.#reading;
    const { via, way, why } = this.#parts;
    const names = this.#words.transport;
    way.textContent = names[/** @type {keyof typeof names} */ (transport)] ?? transport;
    why.textContent = transport && transportReason && this.#status.reason(transportReason);
    why.hidden = !why.textContent;
    via.hidden = !transport;
  }

  async #stop() {
    allow(this.#parts.stop, false);
    await this.#reading.stop();
    allow(this.#parts.stop, this.#reading.following);
  }
}

/** @param {Words} words */
function parts(words) {
  const main = "ssew-button ssew-main";
  return {
    dot: element("span", { className: "ssew-dot", role: "img" }),
    status: element("span", { className: "ssew-status", dir: "auto" }),
    via: element("span", { className: "ssew-via" }),
    way: element("bdi", {}),
    why: element("p", { className: "ssew-why", dir: "auto" }),
    resume: element("button", { className: main, type: "button", hidden: true }, words.resume),
    cut: element("button", { className: "ssew-button", type: "button" }, words.cut),
    stop: element("button", { className: main, type: "button" }, words.stop),
  };
}
