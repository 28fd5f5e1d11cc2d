/** A run by whatever way leads from this page to it; a way that fails is looked for again at the next attempt. */
import { eventId, parseEventId } from "../protocol/events.js";

/** @typedef {import("./ladder.js").Found} Found */
/** @typedef {import("./transport.js").Sink} Sink */
/** @typedef {import("./transport.js").Opening} Opening */
/** @typedef {import("./transport.js").Transport} Transport */

/** Ways that are said, since nothing else shows them. @type {Partial<Record<import("./routes.js").Route, string>>} */
const SAID = { proxy: "by_proxy", colab: "by_colab" };

/** @implements {Transport} */
export class WayTransport {
  name = "sse";
  logged = true;
  repeatable = true;
  #ladder;
  #along;
  /** @type {Transport | null} the one that was opened last */
  #transport = null;
  #way = "";

  /**
   * @param {string} streamId
   * @param {{lastEventId: string, snapshot: boolean}} place
   * @param {Pick<import("./ladder.js").Ladder, "find" | "doubt">} ladder
   * @param {(found: Found) => Transport} along makes the transport of the run on one way
   */
  constructor(streamId, { lastEventId, snapshot }, ladder, along) {
    const last = parseEventId(lastEventId);
    const after = last?.streamId === streamId ? last.seq : 0;
    this.place = { streamId, after, lastEventId: eventId(streamId, after), snapshot };
    this.#ladder = ladder;
    this.#along = along;
  }

  get awaits() {
    return this.#transport?.awaits ?? "";
  }

  /** @param {Opening} opening @param {Sink} sink */
  open(opening, sink) {
    const left = new AbortController();
    let drop = () => {};
    this.#ladder.find().then((found) => {
      if (left.signal.aborted) return;
      const before = this.#transport;
      const transport = this.#on(found);
      const via = (/** @type {string} */ name, /** @type {string} */ reason) =>
        sink.via(name, reason || found.reason || (SAID[found.route] ?? ""));
      // One that was here before says for itself when it goes another way.
      if (transport !== before) via(transport.name, "");
      drop = transport.open(opening, {
        ...sink,
        via,
        failed: (reason) => {
          this.#ladder.doubt();
          sink.failed(reason);
        },
      });
    });
    return () => {
      left.abort();
      drop();
    };
  }

  /** @param {string} streamId */
  async stop(streamId) {
    return (await this.#current()).stop(streamId);
  }

  /** @param {string} streamId @param {import("./transport.js").Changes} changes */
  async tune(streamId, changes) {
    return (await this.#current()).tune(streamId, changes);
  }

  courier() {
    return this.#transport?.courier() ?? null;
  }

  async #current() {
    return this.#transport ?? this.#along(await this.#ladder.find());
  }

  /** One transport for each way: it remembers what it has met there. @param {Found} found */
  #on(found) {
    const way = `${found.route} ${found.server?.base.href ?? ""}`;
    if (!this.#transport || this.#way !== way) this.#transport = this.#along(found);
    this.#way = way;
    return this.#transport;
  }
}
