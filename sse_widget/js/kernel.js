/** Between a widget's model, which the kernel shares, and the page's reading of its run. */
import { addressedServer, extensionServer, routeUrl } from "./transport/jupyter.js";

/** @typedef {import("./reading.js").Reading} Reading */
/** @typedef {import("./reading.js").Opener} Opener */
/** @typedef {import("./transport/jupyter.js").Server} Server */
/** @typedef {import("./transport/jupyter.js").Page} Page */
/** @typedef {new (url: URL, options: import("./consumer.js").ConsumerOptions) => import("./consumer.js").SSEConsumer} Consumer */
/**
 * @typedef {object} Traits
 * @property {string} stream_id
 * @property {string} question
 * @property {string} text
 * @property {import("./consumer.js").State | "streaming"} status
 * @property {string} error
 * @property {string} base_url
 * @property {boolean} in_jupyter
 * @property {string} model
 * @property {string} lang
 */
/** @typedef {import("@anywidget/types").AnyModel<any>} Model */

/** @type {readonly string[]} */
const OVER = ["done", "stopped", "error", "interrupted", "gap", "closed"];

/** Follows the run that the model names, and asks where the page can. It never awaits the network. */
export class KernelLink {
  #model;
  #reading;
  #Consumer;
  #tickets;
  #page;

  /**
   * @param {Model} model
   * @param {Reading} reading
   * @param {{Consumer: Consumer, tickets: Pick<Storage, "getItem" | "setItem">, page: Page, signal: AbortSignal}} parts
   */
  constructor(model, reading, { Consumer, tickets, page, signal }) {
    this.#model = model;
    this.#reading = reading;
    this.#Consumer = Consumer;
    this.#tickets = tickets;
    this.#page = page;
    listen(model, "change:stream_id", () => this.#onStream(), signal);
    listen(model, "change:status", () => this.#onStatus(), signal);
    listen(model, "msg:custom", (/** @type {any} */ message) => this.#onMessage(message), signal);
    const standing = () => this.#onStatus();
    reading.listen({ standing, text: ignore, clear: ignore, beat: ignore }, signal);
    signal.addEventListener("abort", () => reading.close());
    this.#restore();
  }

  /**
   * Asks by HTTP where the page has a login, through the kernel where only the kernel has a token.
   *
   * @param {string} question
   */
  ask(question) {
    const server = this.#get("in_jupyter") ? extensionServer(this.#page) : null;
    if (server) this.#ask(question, server);
    else this.#model.send({ type: "ask", q: question });
  }

  /** @param {string} question @param {Server} server */
  #ask(question, server) {
    if (this.#reading.live) this.#reading.stop();
    const model = this.#get("model");
    const key = crypto.getRandomValues(new Uint32Array(4)).join("-");
    const body = { q: question, ...(model ? { model } : {}) };
    this.#reading.follow(question, (place) => {
      const consumer = this.#consumer(routeUrl(server, "chat"), server, { ...place, body, key });
      return consumer.onHello(() => this.#publish(question, consumer.streamId));
    });
  }

  /** Tells the kernel, which reads the run too. @param {string} question @param {string} streamId */
  #publish(question, streamId) {
    if (this.#get("stream_id") === streamId || this.#reading.streamId !== streamId) return;
    this.#model.set("question", question);
    this.#model.set("stream_id", streamId);
    this.#model.save_changes();
  }

  /** What the model says of a run that this page has not seen: after a reload, or in a saved notebook. */
  #restore() {
    const status = this.#get("status");
    this.#reading.question = this.#get("question");
    if (OVER.includes(status)) this.#settle();
    else if (this.#get("stream_id")) this.#attach(true);
  }

  #onStream() {
    const streamId = this.#get("stream_id");
    if (!streamId) this.#reading.begin(this.#get("question"));
    else if (streamId !== this.#reading.streamId) this.#attach(false);
  }

  /** The kernel has the whole text, which helps a page that cannot reach the server. */
  #onStatus() {
    const status = this.#get("status");
    const { standing, text } = this.#reading;
    if (!OVER.includes(status) || (standing.state === status && text === this.#get("text"))) return;
    const lost = standing.state === "interrupted" || (standing.state === "waiting" && !text);
    if (lost || !this.#get("stream_id")) this.#settle();
  }

  #settle() {
    const status = this.#get("status");
    const state = status === "streaming" ? "open" : status;
    this.#reading.settle(this.#get("text"), state, this.#get("error"));
  }

  /** @param {{type?: string, stream_id?: string, ticket?: string}} message */
  #onMessage({ type, stream_id: streamId, ticket }) {
    if (type === "cut") this.#reading.cut();
    if (type !== "run" || !streamId || !ticket) return;
    this.#tickets.setItem(ticketKey(streamId), ticket);
    if (streamId === this.#get("stream_id") && streamId !== this.#reading.streamId) this.#attach(true);
  }

  /** @param {boolean} snapshot */
  #attach(snapshot) {
    const streamId = this.#get("stream_id");
    const ticket = this.#tickets.getItem(ticketKey(streamId)) ?? "";
    const server = this.#server();
    this.#reading.begin(this.#get("question"));
    if (!server) return;
    if (!ticket && !this.#get("in_jupyter")) {
      this.#model.send({ type: "ticket" });
      return;
    }
    const url = routeUrl(server, `runs/${streamId}`, this.#get("in_jupyter") ? "" : ticket);
    const open = (/** @type {import("./reading.js").Place} */ place) => this.#consumer(url, server, place);
    this.#reading.follow(this.#get("question"), open, { snapshot });
  }

  /** @returns {Server | null} */
  #server() {
    if (this.#get("in_jupyter")) return extensionServer(this.#page);
    const url = this.#get("base_url");
    return url ? addressedServer(url) : null;
  }

  /** @param {URL} url @param {Server} server @param {import("./consumer.js").ConsumerOptions} options */
  #consumer(url, server, options) {
    const lang = this.#get("lang");
    const headers = () => ({ ...server.headers(), ...(lang ? { "Accept-Language": lang } : {}) });
    return new this.#Consumer(url, { ...options, headers });
  }

  /**
   * @template {keyof Traits} Name
   * @param {Name} name
   * @returns {Traits[Name]}
   */
  #get(name) {
    return this.#model.get(name);
  }
}

/**
 * Calls back on an event of a model until the signal aborts.
 *
 * @param {Model} model
 * @param {string} name
 * @param {(...values: any[]) => void} call
 * @param {AbortSignal} signal
 */
export function listen(model, name, call, signal) {
  model.on(name, call);
  signal.addEventListener("abort", () => model.off(name, call));
}

function ignore() {}

/** @param {string} streamId */
function ticketKey(streamId) {
  return `sse-widget:ticket:${streamId}`;
}
