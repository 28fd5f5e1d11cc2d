/** Streams by way of the kernel: it reads the run, and sends the events over the widget's comm. */
import { headOf } from "../protocol/actions.js";
import { CONTENT_TYPE, eventId, parseEventId, TEXT } from "../protocol/events.js";

/** @typedef {import("./transport.js").Sink} Sink */
/** @typedef {import("./transport.js").Opening} Opening */
/** @typedef {import("./transport.js").Transport} Transport */
/** @typedef {import("./transport.js").Changes} Changes */
/** @typedef {{event: string, data: string, id: string}} Sent */
/**
 * What the kernel sends; `to` is the page, `link` one connection of it. A string in `items` is the text of the delta
 * after the item before it, the first one being number `first`.
 *
 * @typedef {object} Carried
 * @property {string} to
 * @property {string} [stream_id]
 * @property {number} [link]
 * @property {boolean} [coming] what follows on this link is a run that the kernel sends unasked
 * @property {Partial<import("../protocol/actions.js").Head> & {status: number}} [head]
 * @property {number} [first]
 * @property {(string | Sent)[]} [items]
 * @property {number} [size] UTF-16 units sent so far
 * @property {string} [end] `ended`, or why the connection broke
 * @property {number} [ask] which question this answers
 * @property {boolean} [agreed]
 * @property {string} [text]
 */
/** @typedef {(message: Record<string, unknown>) => boolean} Send false when no kernel is there to hear it */

/** After so much text, the kernel is told that it arrived: it goes 16 times as far ahead. */
export const ACK_EVERY = 64 * 1024;

/** One page's end of the comm. The kernel pushes every new run to pages that listen, so that none must ask while it is busy. */
export class Relay {
  #send;
  #to;
  #links = 0;
  #asked = 0;
  #listening = false;
  /** @type {Map<number, Flow>} by link */
  #flows = new Map();
  /** The link of what was pushed last. */
  #pushed = 0;
  /** @type {Map<number, (answer: Carried | null) => void>} */
  #answers = new Map();

  /** @param {Send} send @param {string} to names this page @param {AbortSignal} signal */
  constructor(send, to, signal) {
    this.#send = send;
    this.#to = to;
    signal.addEventListener("abort", () => this.#leave());
  }

  /** Has the kernel push its runs from now on. */
  listen() {
    if (this.#listening) return;
    this.#listening = this.#say({ op: "listen" });
  }

  /** Has it push no new run: this page reaches the server itself. What is under way goes on. */
  hush() {
    if (!this.#listening) return;
    this.#listening = false;
    this.#say({ op: "hush" });
    this.#forget(this.#pushed);
  }

  /** Tells the kernel that this page goes: what is under way to it is for nobody. */
  leave() {
    if (!this.#listening && this.#flows.size === 0) return;
    this.#listening = false;
    this.#say({ op: "leave" });
  }

  /** @param {Carried} message */
  receive(message) {
    if (message.to !== this.#to) return;
    const { ask, link, stream_id: streamId = "" } = message;
    if (ask !== undefined) {
      this.#answers.get(ask)?.(message);
      this.#answers.delete(ask);
    } else if (link !== undefined) {
      if (message.coming) this.#expect(link, streamId);
      // A kernel that was busy has not heard yet that this page needs none.
      if (message.coming && !this.#listening) this.#forget(link);
      this.#flows.get(link)?.take(message);
    }
  }

  /**
   * The transport of one run. It has no start: a question goes to the kernel.
   *
   * @param {string} streamId
   * @returns {Transport}
   */
  transport(streamId) {
    return {
      name: "relay",
      awaits: "kernel_awaited",
      place: { streamId, after: 0, lastEventId: "", snapshot: false },
      logged: true,
      repeatable: true,
      open: (opening, sink) => this.#open(opening, sink),
      stop: (id) => this.#order({ op: "stop", stream_id: id }),
      tune: (id, changes) => this.#order({ op: "tune", stream_id: id, changes }),
      courier: () => null,
    };
  }

  /**
   * The text of a file of the widget's, by the kernel.
   *
   * @param {string} name
   * @returns {Promise<string | null>}
   */
  async file(name) {
    return (await this.#question({ op: "file", name }))?.text ?? null;
  }

  /** @param {Opening} opening @param {Sink} sink */
  #open({ streamId, after, snapshot, heartbeatS }, sink) {
    const pushed = this.#flows.get(this.#pushed);
    if (pushed && pushed.streamId === streamId && after === 0 && pushed.claim(sink)) {
      const link = this.#pushed;
      return () => this.#drop(link);
    }
    this.#links += 1;
    const link = this.#links;
    const flow = new Flow(streamId, this.#acknowledge(link));
    this.#flows.set(link, flow);
    flow.claim(sink);
    const said = this.#say({
      op: "open",
      link,
      stream_id: streamId,
      after,
      snapshot,
      heartbeat_s: heartbeatS,
    });
    if (!said) flow.take({ to: this.#to, head: { status: 404, code: "kernel_gone" } });
    return () => this.#drop(link);
  }

  /** @param {number} link @param {string} streamId */
  #expect(link, streamId) {
    this.#forget(this.#pushed);
    this.#pushed = link;
    this.#flows.set(link, new Flow(streamId, this.#acknowledge(link)));
  }

  /** Lets go of what was pushed, if nobody has taken it. @param {number} link */
  #forget(link) {
    if (this.#flows.get(link)?.free) this.#drop(link);
  }

  /** @param {number} link */
  #drop(link) {
    const flow = this.#flows.get(link);
    if (!flow) return;
    this.#flows.delete(link);
    if (!flow.end()) this.#say({ op: "close", link });
  }

  /** @param {number} link */
  #acknowledge(link) {
    return (/** @type {number} */ size) => void this.#say({ op: "ack", link, size });
  }

  /** @param {Record<string, unknown>} order */
  async #order(order) {
    return (await this.#question(order))?.agreed === true;
  }

  /** @param {Record<string, unknown>} question @returns {Promise<Carried | null>} */
  #question(question) {
    this.#asked += 1;
    const ask = this.#asked;
    return new Promise((resolve) => {
      this.#answers.set(ask, resolve);
      if (!this.#say({ ...question, ask })) this.receive({ to: this.#to, ask });
    });
  }

  /** @param {Record<string, unknown>} content */
  #say(content) {
    return this.#send({ type: "relay", to: this.#to, ...content });
  }

  #leave() {
    this.leave();
    this.#flows.clear();
    for (const answer of this.#answers.values()) answer(null);
    this.#answers.clear();
  }
}

/** The events of one connection, kept until someone takes them. */
class Flow {
  #acknowledge;
  #acknowledged = 0;
  /** @type {Sink | null} */
  #sink = null;
  /** @type {Carried[]} */
  #kept = [];
  #handing = false;
  #over = false;
  #dropped = false;

  /** @param {string} streamId @param {(size: number) => void} acknowledge */
  constructor(streamId, acknowledge) {
    this.streamId = streamId;
    this.#acknowledge = acknowledge;
  }

  /** Whether nobody has taken it. */
  get free() {
    return this.#sink === null;
  }

  /** Whether it was free; what was kept is handed over after this returned. @param {Sink} sink */
  claim(sink) {
    if (this.#sink) return false;
    this.#sink = sink;
    this.#hand();
    return true;
  }

  /** @param {Carried} message */
  take(message) {
    this.#kept.push(message);
    if (this.#sink && !this.#handing) this.#hand();
  }

  /** Reports nothing more. Whether the kernel has ended it already. */
  end() {
    this.#dropped = true;
    return this.#over;
  }

  #hand() {
    this.#handing = true;
    queueMicrotask(() => {
      this.#handing = false;
      for (const message of this.#kept.splice(0)) this.#report(message);
    });
  }

  /** @param {Carried} message */
  #report({ head, first = 0, items = [], size = 0, end }) {
    const sink = /** @type {Sink} */ (this.#sink);
    this.#over ||= end !== undefined || (head !== undefined && head.status !== 200);
    if (head && !this.#dropped)
      sink.head(headOf(head.status === 200 ? { ...head, contentType: CONTENT_TYPE } : head));
    let seq = first;
    for (const item of items) {
      if (this.#dropped) return;
      const sent = typeof item === "string" ? this.#delta(item, seq) : item;
      sink.event(sent, sent.data.length);
      seq = (parseEventId(sent.id)?.seq ?? seq) + 1;
    }
    if (this.#dropped) return;
    if (size - this.#acknowledged >= ACK_EVERY) {
      this.#acknowledged = size;
      this.#acknowledge(size);
    }
    if (end === "ended") sink.ended();
    else if (end !== undefined) sink.failed(end);
  }

  /** @param {string} text @param {number} seq @returns {Sent} */
  #delta(text, seq) {
    return { event: TEXT, data: JSON.stringify({ text }), id: eventId(this.streamId, seq) };
  }
}
