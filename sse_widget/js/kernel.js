/** Between a widget's model, which the kernel shares, and the page's reading of its run. */
import { OVER } from "./reading.js";
import { addressedServer, extensionServer, routeUrl } from "./transport/jupyter.js";

/** @typedef {import("./reading.js").Reading} Reading */
/** @typedef {import("./reading.js").Standing} Standing */
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
 * @property {string} [error_code] not in notebooks that were saved before it was known
 * @property {string} base_url
 * @property {boolean} in_jupyter
 * @property {string} model
 * @property {string} lang
 */
/** @typedef {import("@anywidget/types").AnyModel<any>} Model */

/** Follows the run that the model names, and asks where the page can. It never awaits the network. */
export class KernelLink {
  #model;
  #reading;
  #Consumer;
  #tickets;
  #page;
  #params;
  /** @type {string | null} the run that the reading is of: empty until the kernel names it, null until the server does */
  #following = "";
  /** Whether the model's status is still of the run before. */
  #stale = false;

  /**
   * @param {Model} model
   * @param {Reading} reading
   * @param {{Consumer: Consumer, tickets: Pick<Storage, "getItem" | "setItem">, page: Page, signal: AbortSignal, params?: () => Record<string, unknown>}} parts
   *   `params` are what a question is sent with
   */
  constructor(model, reading, { Consumer, tickets, page, signal, params = Object }) {
    this.#model = model;
    this.#reading = reading;
    this.#Consumer = Consumer;
    this.#tickets = tickets;
    this.#page = page;
    this.#params = params;
    listen(model, "change:stream_id", () => this.#onStream(), signal);
    listen(model, "change:status", () => this.#onStatus(), signal);
    listen(model, "comm_live_update", () => this.#onComm(), signal);
    listen(model, "msg:custom", (/** @type {any} */ message) => this.#onMessage(message), signal);
    const standing = (/** @type {Standing} */ { state }) => {
      if (state !== "connecting") this.#catchUp();
    };
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
    if (this.#reading.live) this.#reading.stop();
    if (server) this.#ask(question, server);
    else this.#askKernel(question);
  }

  /** @param {string} question */
  #askKernel(question) {
    this.#following = "";
    this.#stale = OVER.includes(this.#get("status"));
    this.#await(question, { type: "ask", q: question, ...nonEmpty({ knobs: this.#params() }) });
  }

  /** @param {string} question @param {Server} server */
  #ask(question, server) {
    this.#following = null;
    const model = this.#get("model");
    const key = crypto.getRandomValues(new Uint32Array(4)).join("-");
    const body = { q: question, ...(model ? { model } : {}), ...this.#params() };
    this.#reading.follow(question, (place) => {
      const consumer = this.#consumer(routeUrl(server, "chat"), server, { ...place, body, key });
      return consumer.onHello(() => this.#publish(question, consumer.streamId));
    });
  }

  /** Tells the kernel, which reads the run too. @param {string} question @param {string} streamId */
  #publish(question, streamId) {
    if (this.#get("stream_id") === streamId || this.#reading.streamId !== streamId) return;
    this.#following = streamId;
    this.#stale = true;
    this.#model.set("question", question);
    this.#model.set("stream_id", streamId);
    this.#model.save_changes();
  }

  /** What the model says of a run that this page has not seen: after a reload, or in a saved notebook. */
  #restore() {
    const status = this.#get("status");
    this.#reading.question = this.#get("question");
    this.#following = this.#get("stream_id");
    if (OVER.includes(status)) this.#settle();
    else if (this.#get("stream_id")) this.#attach(true);
  }

  #onStream() {
    const streamId = this.#get("stream_id");
    if (streamId && streamId === this.#reading.streamId) return;
    this.#following = streamId;
    this.#stale = false;
    if (streamId) this.#attach(false);
    else this.#reading.begin(this.#get("question"));
  }

  #onStatus() {
    const begun = !OVER.includes(this.#get("status")) && this.#get("stream_id") === this.#following;
    if (begun) this.#stale = false;
    this.#catchUp();
  }

  /** The kernel has the whole text, which helps a page that cannot read the run itself. */
  #catchUp() {
    const status = this.#get("status");
    const { standing, text, lost } = this.#reading;
    if (this.#stale || this.#get("stream_id") !== this.#following) return;
    if (!OVER.includes(status) || !lost) return;
    const same = text === this.#get("text") || status === "interrupted";
    if (standing.state !== status || !same) this.#settle();
  }

  #settle() {
    const state = /** @type {import("./consumer.js").State} */ (this.#get("status"));
    this.#reading.settle(this.#get("text"), state, this.#get("error"), this.#get("error_code"));
  }

  /** Nobody answers any more. */
  #onComm() {
    if (this.#reading.live && !this.#reading.following && isGone(this.#model)) this.#giveUp();
  }

  #giveUp() {
    this.#reading.settle(this.#reading.text, "error", "", "kernel_gone");
  }

  /** Waits for the kernel, which reads too. @param {string} question @param {object} [message] that it is to answer */
  #await(question, message) {
    this.#reading.begin(question, "kernel_awaited");
    try {
      if (message) this.#model.send(message);
    } catch {
      return this.#giveUp(); // The comm was closed with its kernel.
    }
    this.#onComm();
  }

  /** @param {{type?: string, stream_id?: string, ticket?: string}} message */
  #onMessage({ type, stream_id: streamId, ticket }) {
    if (type === "cut") this.#reading.cut();
    if (type !== "run" || !streamId || !ticket) return;
    this.#tickets.setItem(ticketKey(streamId), ticket);
    const wanted = streamId === this.#get("stream_id") && streamId !== this.#reading.streamId;
    if (wanted && !OVER.includes(this.#get("status"))) this.#attach(true);
  }

  /** @param {boolean} snapshot */
  #attach(snapshot) {
    const streamId = this.#get("stream_id");
    const ticket = this.#tickets.getItem(ticketKey(streamId)) ?? "";
    const server = this.#server();
    this.#following = streamId;
    if (!server || !(ticket || this.#get("in_jupyter"))) {
      this.#await(this.#get("question"), server ? { type: "ticket" } : undefined);
      this.#catchUp();
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

/**
 * Whether the kernel is gone that the model belongs to. anywidget hands out a part of the model only; `set` returns the
 * whole one, where ipywidgets notes it.
 *
 * @param {Model} model
 */
function isGone(model) {
  const whole = /** @type {unknown} */ (model.set("lang", model.get("lang")));
  return Object(whole).comm_live === false;
}

function ignore() {}

/** @param {{knobs: Record<string, unknown>}} part @returns {Partial<typeof part>} */
function nonEmpty(part) {
  return Object.keys(part.knobs).length > 0 ? part : {};
}

/** @param {string} streamId */
function ticketKey(streamId) {
  return `sse-widget:ticket:${streamId}`;
}
