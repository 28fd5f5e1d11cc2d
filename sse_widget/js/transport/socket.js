/** One WebSocket to a server, shared by all streams of a page that need it. */
import { Alarm } from "./alarm.js";

/**
 * What the server says (server/sse_server/handlers/frames.py). Events of a stream have a `stream`; `ok`, `end`, and
 * `error` without one, end what was asked under this ref.
 *
 * @typedef {object} Frame
 * @property {string} ref
 * @property {string} event
 * @property {string} [stream]
 * @property {string} [id]
 * @property {string} [data]
 * @property {number} [status]
 * @property {number | null} [retry_after_s]
 */
/**
 * @typedef {object} Hearer
 * @property {(frame: Frame, sizeBytes: number, atMs: number) => void} frame, and when its message was handed over
 * @property {(reason: string) => void} lost the socket is gone, and with it what was asked
 */
/** @typedef {Record<string, unknown> & {ref?: string}} Fields */
/** @typedef {Pick<import("./platform.js").Platform, "WebSocket" | "setTimeout" | "clearTimeout" | "now">} Network */

/** A socket that says nothing for so long after it was asked something is dead: its handshake hangs, or nothing passes. */
export const ANSWER_MS = 10_000;
/** How long a socket without a stream is kept for the next one. */
export const IDLE_MS = 15_000;

const encoder = new TextEncoder();

/** Open as long as someone listens. It is of no use any more once it was lost. */
export class SharedSocket {
  #network;
  #forget;
  /** @type {WebSocket | null} */
  #socket = null;
  #opened = false;
  /** @type {Map<string, Hearer>} */
  #hearers = new Map();
  /** @type {Fields[]} what is said before it is open */
  #unsent = [];
  #refs = 0;
  #alarm;
  #deadlineMs = 0;
  /** @type {unknown} */
  #idle = null;

  /**
   * @param {string} url
   * @param {Network} network
   * @param {(socket: SharedSocket) => void} forget is told that it was lost
   */
  constructor(url, network, forget) {
    this.#network = network;
    this.#forget = forget;
    this.#alarm = new Alarm(network, () => this.#look());
    try {
      if (!network.WebSocket) throw new TypeError("there are no WebSockets here");
      this.#listen(new network.WebSocket(url));
    } catch {
      // Forbidden, as an insecure one is to a secure page.
      network.setTimeout(() => this.#lose("socket_refused"), 0);
    }
  }

  /**
   * Asks for something, and hears what comes of it.
   *
   * @param {Fields} fields of a frame, without a ref
   * @param {Hearer} hearer is never called before this has returned
   * @returns {() => void} leaves
   */
  ask(fields, hearer) {
    this.#refs += 1;
    const ref = String(this.#refs);
    this.#hearers.set(ref, hearer);
    this.#say({ ...fields, ref });
    this.#rest();
    return () => {
      if (!this.#hearers.delete(ref)) return;
      const unsent = this.#unsent.filter((one) => one.ref !== ref);
      const heard = unsent.length === this.#unsent.length;
      this.#unsent = unsent;
      if (heard) this.#say({ op: "leave", ref });
      this.#rest();
    };
  }

  /** @param {WebSocket} socket */
  #listen(socket) {
    this.#socket = socket;
    socket.onopen = () => {
      this.#opened = true;
      for (const fields of this.#unsent.splice(0)) this.#say(fields);
    };
    socket.onmessage = ({ data }) => this.#hear(data);
    socket.onclose = () => this.#lose(this.#opened ? "socket_closed" : "socket_refused");
  }

  /** @param {Fields} fields */
  #say(fields) {
    this.#deadlineMs ||= this.#network.now() + ANSWER_MS;
    this.#alarm.set(this.#deadlineMs);
    this.#opened ? this.#socket?.send(JSON.stringify(fields)) : this.#unsent.push(fields);
  }

  /** @param {unknown} message */
  #hear(message) {
    const atMs = this.#network.now();
    this.#deadlineMs = 0;
    this.#alarm.set(null);
    let sizeBytes = typeof message === "string" ? encoder.encode(message).length : 0;
    for (const frame of framesOf(message)) {
      const hearer = this.#hearers.get(frame.ref);
      if (!hearer) continue;
      if (frame.stream === undefined) this.#hearers.delete(frame.ref);
      hearer.frame(frame, sizeBytes, atMs);
      sizeBytes = 0;
    }
    this.#rest();
  }

  #look() {
    if (!this.#deadlineMs) return;
    if (this.#network.now() >= this.#deadlineMs) this.#lose("socket_silent");
    else this.#alarm.set(this.#deadlineMs);
  }

  /** Has a socket that nobody uses closed after a while. */
  #rest() {
    if (this.#idle !== null) this.#network.clearTimeout(this.#idle);
    this.#idle = this.#hearers.size ? null : this.#network.setTimeout(() => this.#lose("idle"), IDLE_MS);
  }

  /** @param {string} reason */
  #lose(reason) {
    const socket = this.#socket;
    this.#alarm.set(null);
    if (this.#idle !== null) this.#network.clearTimeout(this.#idle);
    this.#forget(this);
    if (socket) {
      socket.onopen = null;
      socket.onmessage = null;
      socket.onclose = null;
      socket.close();
    }
    const hearers = [...this.#hearers.values()];
    this.#hearers.clear();
    for (const hearer of hearers) hearer.lost(reason);
  }
}

/**
 * The frames of a message, none when it is none of our server's.
 *
 * @param {unknown} message
 * @returns {Frame[]}
 */
function framesOf(message) {
  try {
    const said = JSON.parse(String(message));
    return (Array.isArray(said) ? said : [said]).filter((frame) => typeof Object(frame).ref === "string");
  } catch {
    return [];
  }
}

/**
 * The page's socket to an address. Tickets differ by stream, so any opens the socket that all use; but one that was
 * opened without, by the page's own login, may do more.
 *
 * @param {URL} address
 * @param {Network & {shared: import("./shared.js").Shared}} network
 */
export function socketTo(address, network) {
  const { sockets } = network.shared;
  const place = new URL(address);
  if (place.searchParams.has("ticket")) place.searchParams.set("ticket", "");
  const known = sockets.get(place.href);
  if (known) return known;
  const socket = new SharedSocket(address.href, network, (lost) => {
    if (sockets.get(place.href) === lost) sockets.delete(place.href);
  });
  sockets.set(place.href, socket);
  return socket;
}
