/** How a page reaches the runs of a widget: the address, the login and the fault plan of each. */
import { routeUrl } from "./transport/jupyter.js";
import { WayTransport } from "./transport/way.js";

/** @typedef {import("./consumer.js").Consumer} Consumer */
/** @typedef {import("./knobs/faults.js").Faults} Faults */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./reading.js").Opener} Opener */
/** @typedef {import("./reading.js").Place} Place */
/** @typedef {import("./transport/jupyter.js").Server} Server */
/** @typedef {import("./transport/ladder.js").Found} Found */
/** @typedef {import("./transport/ladder.js").Ladder} Ladder */
/** @typedef {import("./transport/relay.js").Relay} Relay */
/** @typedef {import("./transport/transport.js").Transport} Transport */
/**
 * How streams are opened: `transport` makes the one of an address, `consume` reads over one.
 *
 * @typedef {object} Streams
 * @property {(url: URL, options: import("./open.js").StreamOptions) => Transport} transport
 * @property {(transport: Transport, options: import("./open.js").ConsumerOptions) => Consumer} consume
 */
/** @typedef {Pick<Storage, "getItem" | "setItem">} Tickets what the page was given for its runs, also after a reload */

/** The runs that this page asks for, and those that the kernel names. */
export class Runs {
  #model;
  #streams;
  #tickets;
  #faults;
  #ladder;
  #relay;

  /**
   * @param {Model} model
   * @param {{streams: Streams, tickets: Tickets, ladder: Ladder, relay: Relay, faults: Faults}} parts
   */
  constructor(model, { streams, tickets, ladder, relay, faults }) {
    this.#model = model;
    this.#streams = streams;
    this.#tickets = tickets;
    this.#faults = faults;
    this.#ladder = ladder;
    this.#relay = relay;
  }

  /**
   * Opens the run of a question: the same one however often it is opened.
   *
   * @param {string} question
   * @param {Server} server
   * @param {Record<string, unknown>} params what it is sent with
   * @returns {Opener}
   */
  asked(question, server, params) {
    const model = this.#model.get("model");
    const key = crypto.getRandomValues(new Uint32Array(4)).join("-");
    const body = { q: question, ...(model ? { model } : {}), ...params };
    const url = this.#faults.onto(routeUrl(server, "chat"));
    return (place) => {
      const options = { ...place, body, key, headers: this.#headers(server), transport: this.#wanted() };
      return this.#streams.consume(this.#streams.transport(url, options), options);
    };
  }

  /** Opens a run that the kernel has named. @param {string} streamId @returns {Opener} */
  named(streamId) {
    const along = (/** @type {Found} */ found) => this.#along(streamId, found);
    return (place) => this.#streams.consume(new WayTransport(streamId, place, this.#ladder, along), {});
  }

  /** Whether nothing is missing that the kernel would have to give for it. @param {string} streamId */
  reachable(streamId) {
    if (this.#model.get("in_jupyter") || this.#ladder.found?.route === "relay") return true;
    return this.#ticket(streamId) !== "";
  }

  /**
   * Keeps what the kernel gives for a run.
   *
   * @param {string} streamId
   * @param {string} ticket
   * @param {string} plan of its faults
   */
  admit(streamId, ticket, plan) {
    this.#tickets.setItem(ticketKey(streamId), ticket);
    this.plan(streamId, plan);
  }

  /** Keeps the fault plan of a run. @param {string} streamId @param {string} plan empty is not kept */
  plan(streamId, plan) {
    if (plan) this.#tickets.setItem(faultKey(streamId), plan);
  }

  /** @param {string} streamId @param {Found} found */
  #along(streamId, { route, server }) {
    const plan = this.#tickets.getItem(faultKey(streamId)) ?? "";
    this.#faults.running = plan;
    if (!server) return this.#relay.transport(streamId);
    const url = routeUrl(server, `runs/${streamId}`, route === "extension" ? "" : this.#ticket(streamId));
    this.#faults.onto(url, plan);
    return this.#streams.transport(url, { headers: this.#headers(server), transport: this.#wanted() });
  }

  /** @returns {import("./open.js").Wanted} */
  #wanted() {
    const wanted = this.#model.get("transport") ?? "auto";
    return wanted === "relay" ? "auto" : wanted;
  }

  /** @param {string} streamId */
  #ticket(streamId) {
    return this.#tickets.getItem(ticketKey(streamId)) ?? "";
  }

  /** @param {Server} server */
  #headers(server) {
    const lang = this.#model.get("lang");
    return () => ({ ...server.headers(), ...(lang ? { "Accept-Language": lang } : {}) });
  }
}

/** @param {string} streamId */
function ticketKey(streamId) {
  return `sse-widget:ticket:${streamId}`;
}

/** @param {string} streamId */
function faultKey(streamId) {
  return `sse-widget:fault:${streamId}`;
}
