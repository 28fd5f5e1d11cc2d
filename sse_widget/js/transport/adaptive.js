/** Our server's streams by whatever way gets through: server-sent events, else the WebSocket, else long-polling. */
import { Patience } from "../protocol/patience.js";
import { Parser } from "../protocol/sse.js";
import { Watch } from "../protocol/watch.js";
import { isForeign, WAYS } from "../protocol/ways.js";
import { Alarm } from "./alarm.js";
import { FetchTransport } from "./fetch.js";
import { Memory } from "./memory.js";
import { PollTransport } from "./poll.js";
import { Slots } from "./slots.js";
import { WebSocketTransport } from "./websocket.js";

/** @typedef {import("../protocol/ways.js").Way} Way */
/** @typedef {import("./transport.js").Opening} Opening */
/** @typedef {import("./transport.js").Sink} Sink */
/** @typedef {import("./transport.js").Transport} Transport */
/** @typedef {{way: Way, reason: string, release: () => void}} Choice */

/** How long the WebSocket has for its handshake and the first word. */
export const SOCKET_MS = 4000;
/** One connection that falls silent may be dead; the second one is held back. */
const SILENCES = 2;

/**
 * Chooses for every connection, by what is known of the ways to this server, and leaves a way that does not work for the
 * next one: the session resumes there, with the same key and after the same event.
 *
 * @implements {Transport}
 */
export class AdaptiveTransport {
  /** @type {Way} */
  name = "sse";
  #platform;
  /** @type {Record<Way, Transport>} */
  #transports;
  #slots;
  #memory;
  #silences = 0;

  /** @param {import("./endpoint.js").Endpoint} endpoint @param {import("./platform.js").Platform} platform */
  constructor(endpoint, platform) {
    const { origin } = endpoint;
    this.#platform = platform;
    this.#slots = new Slots(origin, platform.locks, platform.shared.locks);
    this.#memory = new Memory(origin, platform.shared.ways, platform.store, platform.wall);
    this.#transports = {
      sse: new FetchTransport(endpoint, platform),
      websocket: new WebSocketTransport(endpoint, platform),
      poll: new PollTransport(endpoint, platform, this.#slots),
    };
    this.place = endpoint.place;
    this.logged = endpoint.logged;
    this.repeatable = endpoint.repeatable;
  }

  /** @param {Opening} opening @param {Sink} sink */
  open(opening, sink) {
    let dropped = false;
    let drop = () => {};
    this.#choose().then((choice) => {
      if (dropped) return choice.release();
      this.name = choice.way;
      sink.via(choice.way, choice.reason);
      drop = this.#follow(choice, opening, sink);
      if (dropped) drop();
    });
    return () => {
      dropped = true;
      drop();
    };
  }

  /** @param {string} streamId */
  stop(streamId) {
    return this.#transports[this.name].stop(streamId);
  }

  /** @param {string} streamId @param {import("./transport.js").Changes} changes */
  tune(streamId, changes) {
    return this.#transports[this.name].tune(streamId, changes);
  }

  courier() {
    return this.#transports[this.name].courier();
  }

  /** @returns {Promise<Choice>} */
  async #choose() {
    let reason = "";
    for (const way of WAYS) {
      const avoided = this.#memory.reason(way);
      if (!avoided && way === "sse") {
        const release = await this.#slots.take();
        if (release) return { way, reason, release };
      } else if (!avoided) {
        return { way, reason, release: nothing };
      }
      reason ||= avoided || "slots_taken";
    }
    return { way: "poll", reason, release: nothing };
  }

  /** @param {Choice} choice @param {Opening} opening @param {Sink} sink @returns {() => void} */
  #follow({ way, release }, opening, sink) {
    const attempt = new Attempt(sink, this.#platform, release, (/** @type {string} */ reason) => {
      this.#memory.avoid(way, reason);
      this.#silences = 0;
    });
    const watched = {
      sse: () => this.#watchEvents(attempt, opening.target === "start"),
      websocket: () => this.#watchSocket(attempt),
      poll: () => this.#watchPoll(attempt),
    }[way]();
    const drop = this.#transports[way].open(opening, watched);
    return attempt.dropping(drop);
  }

  /** @param {Attempt} attempt @param {boolean} fresh whether it asks for a new run @returns {Sink} */
  #watchEvents(attempt, fresh) {
    const { now } = this.#platform;
    const watch = new Watch(now(), fresh);
    const parser = new Parser();
    const judge = (/** @type {import("../protocol/watch.js").Verdict} */ verdict) => {
      if (verdict === "silent") this.#silences += 1;
      if (verdict === "silent" && this.#silences < SILENCES) attempt.sink.failed("idle");
      else if (verdict) attempt.leave("held_back");
    };
    attempt.watch(
      () => watch.deadlineMs,
      () => judge(watch.tick(now())),
    );
    return {
      ...attempt.sink,
      head: (head) => (isForeign(head) ? attempt.leave("refused") : attempt.sink.head(head)),
      bytes: (bytes, atMs) => {
        watch.bytes(now());
        const verdict = watch.greeted ? "" : watch.read(parser.feed(bytes), now());
        attempt.look();
        attempt.sink.bytes(bytes, atMs);
        judge(verdict);
      },
      failed: (reason) => (reason === "no_streaming" ? attempt.leave(reason) : attempt.sink.failed(reason)),
    };
  }

  /** @param {Attempt} attempt @returns {Sink} */
  #watchSocket(attempt) {
    const { now } = this.#platform;
    const patience = new Patience(now(), SOCKET_MS);
    let open = false;
    attempt.watch(
      () => (open ? null : patience.deadlineMs),
      () => patience.over(now()) && attempt.leave("blocked"),
    );
    return {
      ...attempt.sink,
      head: (head) => {
        open = true;
        attempt.look();
        attempt.sink.head(head);
      },
      failed: (reason) => (open ? attempt.sink.failed(reason) : attempt.leave("blocked")),
    };
  }

  /** @param {Attempt} attempt @returns {Sink} */
  #watchPoll(attempt) {
    let open = false;
    return {
      ...attempt.sink,
      head: (head) => {
        open = head.status === 200;
        if (!open && head.code === "") this.#memory.forget();
        attempt.sink.head(head);
      },
      failed: (reason) => {
        if (!open) this.#memory.forget();
        attempt.sink.failed(reason);
      },
    };
  }
}

/** One connection on one way: what it holds, and its end. */
class Attempt {
  /** The consumer's sink; what comes last frees what the connection held. @type {Sink} */
  sink;
  #release;
  #blame;
  #alarm;
  #drop = nothing;
  #over = false;
  #due = () => /** @type {number | null} */ (null);
  #ring = /** @type {() => unknown} */ (nothing);

  /**
   * @param {Sink} sink
   * @param {import("./alarm.js").Clock} clock
   * @param {() => void} release gives up what it holds
   * @param {(reason: string) => void} blame is told why the way was left
   */
  constructor(sink, clock, release, blame) {
    this.sink = {
      ...sink,
      ended: () => this.#end() && sink.ended(),
      failed: (reason) => this.#end() && sink.failed(reason),
    };
    this.#release = release;
    this.#blame = blame;
    this.#alarm = new Alarm(clock, () => {
      const due = this.#due();
      if (due === null) return;
      if (clock.now() >= due) this.#ring();
      this.look();
    });
  }

  /** @param {() => number | null} due @param {() => unknown} ring */
  watch(due, ring) {
    this.#due = due;
    this.#ring = ring;
    this.look();
  }

  /** Sets the alarm anew. */
  look() {
    if (!this.#over) this.#alarm.set(this.#due());
  }

  /** @param {() => void} drop of the connection; returns that of the attempt */
  dropping(drop) {
    this.#drop = drop;
    return () => {
      this.#end();
    };
  }

  /** Leaves this way for the next one. @param {string} reason */
  leave(reason) {
    if (!this.#end()) return;
    this.#blame(reason);
    this.sink.again(reason);
  }

  #end() {
    if (this.#over) return false;
    this.#over = true;
    this.#alarm.set(null);
    this.#release();
    this.#drop();
    return true;
  }
}

function nothing() {}
