/** Between a widget's model, which the kernel shares, and the page's reading of its run. */
import { Faults } from "./knobs/faults.js";
import { isGone, listen } from "./model.js";
import { OVER } from "./reading.js";
import { Runs } from "./runs.js";

/** @typedef {import("./reading.js").Reading} Reading */
/** @typedef {import("./transcript.js").Standing} Standing */
/** @typedef {import("./transport/jupyter.js").Server} Server */
/** @typedef {import("./transport/ladder.js").Found} Found */
/** @typedef {import("./transport/ladder.js").Ladder} Ladder */
/** @typedef {import("./transport/relay.js").Relay} Relay */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./model.js").Traits} Traits */
/** @typedef {import("./runs.js").Streams} Streams */
/** @typedef {import("./runs.js").Tickets} Tickets */

/** Follows the run that the model names, and asks where the page can. It never awaits the network. */
export class KernelLink {
  #model;
  #reading;
  #runs;
  #params;
  #faults;
  #ladder;
  #relay;
  /** @type {string | null} the run that the reading is of: empty until the kernel names it, null until the server does */
  #following = "";
  /** Whether the model's status is still of the run before. */
  #stale = false;
  /** The question that was asked last. */
  #asking = {};

  /**
   * @param {Model} model
   * @param {Reading} reading
   * @param {{streams: Streams, tickets: Tickets, ladder: Ladder, relay: Relay, signal: AbortSignal, params?: () => Record<string, unknown>, faults?: Faults}} parts
   *   `params` are what a question is sent with, `faults` what is to go wrong then
   */
  constructor(
    model,
    reading,
    { streams, tickets, ladder, relay, signal, params = () => ({}), faults = new Faults() },
  ) {
    this.#model = model;
    this.#reading = reading;
    this.#runs = new Runs(model, { streams, tickets, ladder, relay, faults });
    this.#params = params;
    this.#faults = faults;
    this.#ladder = ladder;
    this.#relay = relay;
    ladder.onFound((found) => this.#onWay(found));
    // marimo sets the traits of one message one after the other, and tells of each at once.
    const whole = (/** @type {() => void} */ hear) =>
      queueMicrotask(() => {
        if (!signal.aborted) hear();
      });
    const onStatus = () => {
      this.#begins();
      whole(() => this.#onStatus());
    };
    listen(model, "change:stream_id", () => whole(() => this.#onStream()), signal);
    listen(model, "change:status", onStatus, signal);
    for (const named of ["node", "base_url", "route", "transport"])
      listen(model, `change:${named}`, () => this.#look(), signal);
    listen(model, "comm_live_update", () => this.#onComm(), signal);
    listen(model, "msg:custom", (/** @type {any} */ message) => this.#onMessage(message), signal);
    const standing = (/** @type {Standing} */ { state }) => {
      if (state !== "connecting") this.#catchUp();
    };
    reading.listen({ standing }, signal);
    signal.addEventListener("abort", () => reading.close());
    this.#look();
    this.#restore();
  }

  /**
   * Asks by HTTP where the page has a login, through the kernel where only the kernel has a token.
   *
   * @param {string} question
   */
  async ask(question) {
    this.#reading.ask(question);
    if (this.#reading.live) this.#reading.stop();
    const asking = {};
    this.#asking = asking;
    const server = this.#get("in_jupyter") ? await this.#extension(question) : null;
    if (this.#asking !== asking) return;
    if (server) this.#ask(question, server);
    else this.#askKernel(question);
  }

  /** The server that takes questions from this page itself. @param {string} question shown meanwhile */
  async #extension(question) {
    if (!this.#get("node")) return null;
    this.#following = null;
    this.#reading.begin(question);
    const { route, server } = await this.#ladder.find();
    return route === "extension" ? server : null;
  }

  /** Finds the way before it is needed. */
  #look() {
    if (this.#get("node") && (this.#get("base_url") || this.#get("in_jupyter"))) this.#ladder.find();
  }

  /** @param {Found} found */
  #onWay({ route }) {
    if (route === "relay") this.#relay.listen();
    else this.#relay.hush();
    this.#catchUp();
  }

  /** @param {string} question */
  #askKernel(question) {
    this.#following = "";
    this.#stale = OVER.includes(this.#get("status"));
    this.#await(question, {
      type: "ask",
      q: question,
      ...nonEmpty({ knobs: this.#params() }),
      ...(this.#faults.allowed ? { fault: this.#faults.text } : {}),
    });
  }

  /** @param {string} question @param {Server} server */
  #ask(question, server) {
    this.#following = null;
    const open = this.#runs.asked(question, server, this.#params());
    this.#reading.follow(question, (place) => {
      const consumer = open(place);
      consumer.onHello(() => this.#publish(question, consumer.streamId));
      return consumer;
    });
  }

  /** Tells the kernel, which reads the run too. @param {string} question @param {string} streamId */
  #publish(question, streamId) {
    if (this.#get("stream_id") === streamId || this.#reading.streamId !== streamId) return;
    this.#following = streamId;
    this.#stale = true;
    this.#runs.plan(streamId, this.#faults.running);
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
    this.#asking = {};
    const streamId = this.#get("stream_id");
    if (streamId && streamId === this.#reading.streamId) return;
    this.#following = streamId;
    this.#stale = false;
    this.#ladder.retry();
    if (streamId) this.#attach(false);
    else this.#reading.begin(this.#get("question"));
  }

  #onStatus() {
    this.#begins();
    this.#catchUp();
  }

  /** Notes that the status is by now of the run that is followed. */
  #begins() {
    const begun = !OVER.includes(this.#get("status")) && this.#get("stream_id") === this.#following;
    if (begun) this.#stale = false;
  }

  /** The kernel has the whole text, which helps a page that cannot read the run itself. */
  #catchUp() {
    const status = this.#get("status");
    const { standing, text, lost } = this.#reading;
    if (this.#stale || this.#get("stream_id") !== this.#following) return;
    // By the kernel itself it would come no sooner.
    const unheard = !text && standing.state === "connecting" && this.#ladder.found?.route === "relay";
    if (!OVER.includes(status) || !(lost || unheard)) return;
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

  /** @param {{type?: string, stream_id?: string, ticket?: string, fault?: string}} message */
  #onMessage(message) {
    const { type, stream_id: streamId, ticket, fault = "" } = message;
    if (type === "relay") this.#relay.receive(/** @type {any} */ (message));
    if (type === "cut") this.#reading.cut();
    if (type !== "run" || !streamId || !ticket) return;
    this.#runs.admit(streamId, ticket, fault);
    const wanted = streamId === this.#get("stream_id") && streamId !== this.#reading.streamId;
    if (wanted && !OVER.includes(this.#get("status"))) this.#attach(true);
  }

  /** @param {boolean} snapshot */
  #attach(snapshot) {
    const streamId = this.#get("stream_id");
    this.#following = streamId;
    if (!this.#runs.reachable(streamId)) {
      this.#await(this.#get("question"), { type: "ticket" });
      this.#catchUp();
      return;
    }
    this.#reading.follow(this.#get("question"), this.#runs.named(streamId), { snapshot });
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

/** @param {{knobs: Record<string, unknown>}} part @returns {Partial<typeof part>} */
function nonEmpty(part) {
  return Object.keys(part.knobs).length > 0 ? part : {};
}
