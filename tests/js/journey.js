/** A log, a reader and a broken way between them, on a number for a clock. Twin of tests/rig/journey.py. */
import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { headOf } from "../../sse_widget/js/protocol/actions.js";
import { Chance } from "../../sse_widget/js/protocol/chance.js";
import { CONTENT_TYPE, eventId, textOf } from "../../sse_widget/js/protocol/events.js";
import { Session } from "../../sse_widget/js/protocol/session.js";
import { Parser } from "../../sse_widget/js/protocol/sse.js";

/** @typedef {import("../../sse_widget/js/protocol/actions.js").Action} Action */
/** @typedef {import("../../sse_widget/js/protocol/actions.js").Connect} Connect */
/** @typedef {import("../../sse_widget/js/protocol/actions.js").Finish} Finish */
/** @typedef {import("../../sse_widget/js/protocol/disturbance.js").Happening} Happening */
/** @typedef {import("../../sse_widget/js/protocol/faults.js").FaultPlan} FaultPlan */
/** @typedef {import("../../sse_widget/js/protocol/sse.js").SSEEvent} SSEEvent */

const STREAM = "0123456789abcdef".repeat(2);
const HEARTBEAT_MS = 20_000;
const MOST_STEPS = 50_000;
const WORDS = [
  "مرحبا ",
  "بالعالم، ",
  "👩‍👩‍👧‍👦",
  "🇪🇬 ",
  "你好，",
  "e\u0301 ",
  "a\r\nb",
  "\r",
  "\n\n",
  "\u2028",
  "word ",
  "ـَـ",
  "🔧",
  '"\\',
];
const GAPS_MS = [0, 20, 300, 9000, 30_000, 30_000];
const LINE_ENDS = ["\n", "\r\n", "\r"];
const WAYS = ["start", "attach", "snapshot"];
const ATTEMPTS = [10, 10, 10, 10, 10, 0];

/** @param {Chance} chance @param {any[]} options */
const pick = (chance, options) => options[chance.below(options.length)];

/** The events of one run, one each `gapMs`, and the frames of a connection to it. */
export class Log {
  /** @param {Chance} chance */
  constructor(chance) {
    const count = chance.below(24);
    const piece = () => Array.from({ length: 1 + chance.below(4) }, () => pick(chance, WORDS)).join("");
    const pieces = Array.from({ length: count }, piece);
    this.text = pieces.join("");
    this.gapMs = pick(chance, GAPS_MS);
    this.lineEnd = pick(chance, LINE_ENDS);
    const done = {
      reason: "stop",
      tokens: count,
      chars: [...this.text].length,
      crc32: crc32(this.text),
    };
    /** @type {[string, object][]} */
    const events = [
      ["start", { status: "started" }],
      ...pieces.map((text) => /** @type {[string, object]} */ (["delta", { text }])),
      ["metadata", { model_used: "m", tokens_used: 3, elapsed_seconds: 0.5 }],
      ["done", done],
    ];
    this.events = events.map(([event, data], index) => ({
      atMs: (index + 1) * this.gapMs,
      event: { event, data: JSON.stringify(data), id: eventId(STREAM, index + 1) },
    }));
  }

  get lastMs() {
    return this.events.length * this.gapMs;
  }

  /** @param {number} after @param {number} nowMs */
  readToItsEnd(after, nowMs) {
    return after >= this.events.length && nowMs >= this.lastMs;
  }

  /**
   * What the server writes, and when.
   *
   * @param {{after: number, snapshot: boolean}} from
   * @param {number} nowMs
   * @returns {Generator<{atMs: number, frame: Uint8Array}>}
   */
  *frames({ after, snapshot }, nowMs) {
    yield { atMs: nowMs, frame: this.#wire(hello(after), "retry: 300\n") };
    const texts = this.events.filter(
      ({ atMs, event }) => ["start", "delta"].includes(event.event) && atMs <= nowMs,
    );
    const last = texts.length;
    let next = after;
    if (snapshot && after === 0 && last > 1) {
      const text = texts.map(({ event }) => textOf(event.data)).join("");
      next = last;
      const data = JSON.stringify({ text });
      yield { atMs: nowMs, frame: this.#wire({ event: "delta", data, id: eventId(STREAM, last) }) };
    }
    let writtenMs = nowMs;
    for (const { atMs, event } of this.events.slice(next)) {
      while (atMs - writtenMs > HEARTBEAT_MS) {
        writtenMs += HEARTBEAT_MS;
        yield { atMs: writtenMs, frame: this.#wire({ event: "ping", data: '"🔧"', id: "" }) };
      }
      writtenMs = Math.max(writtenMs, atMs);
      yield { atMs: writtenMs, frame: this.#wire(event) };
    }
  }

  /** @param {SSEEvent} event @param {string} [before] */
  #wire({ event, data, id }, before = "") {
    const text = `${before}event: ${event}\ndata: ${data}\n${id && `id: ${id}\n`}\n`;
    return new TextEncoder().encode(text.replaceAll("\n", this.lineEnd));
  }
}

/** @param {number} after */
function hello(after) {
  const said = {
    ts: 1.5,
    model: "m",
    stream_id: STREAM,
    conversation_id: "c",
    resumed: after > 0,
    after,
    gap: false,
    heartbeat_s: HEARTBEAT_MS / 1000,
    node: "n",
  };
  return { event: "hello", data: JSON.stringify(said), id: eventId(STREAM, after) };
}

/** One reader's way through a plan. `run` goes to its end. */
export class Journey {
  text = "";
  /** @type {Finish[]} */
  terminals = [];
  received = 0;
  /** @type {Set<string>} */
  reached = new Set();
  #parser = new Parser();
  /** @type {Way | null} */
  #way = null;

  /** @param {FaultPlan} plan @param {Log} log @param {Session} session @param {number} nowMs @param {boolean} patient */
  constructor(plan, log, session, nowMs, patient) {
    this.patient = patient;
    this.plan = plan;
    this.log = log;
    this.session = session;
    this.nowMs = nowMs;
  }

  run() {
    this.#act(this.session.start(this.nowMs));
    for (let step = 0; step < MOST_STEPS; step++) {
      if (this.session.phase === "ended") return this;
      this.#act(this.#input());
    }
    return assert.fail("the reader never ends");
  }

  /** @returns {Action[]} */
  #input() {
    const { deadlineMs } = this.session;
    assert.ok(deadlineMs !== null);
    const happening = this.#way?.next();
    if (happening === undefined || happening.atMs > deadlineMs) {
      this.nowMs = Math.max(this.nowMs, deadlineMs);
      return this.session.tick(this.nowMs);
    }
    this.#way?.pending.shift();
    this.nowMs = Math.max(this.nowMs, happening.atMs);
    return this.#happen(happening);
  }

  /** @param {Happening} happening @returns {Action[]} */
  #happen(happening) {
    if (happening.do === "over") {
      this.#way = null;
      return happening.broken ? this.session.failed("cut", this.nowMs) : this.session.ended(this.nowMs);
    }
    this.received = crc32(happening.data, this.received);
    this.session.bytesArrived(this.nowMs);
    const events = this.#parser.feed(happening.data);
    if (this.#parser.retryMs !== null) this.session.retry(this.#parser.retryMs);
    return events.flatMap((event) => this.session.event(event, this.nowMs));
  }

  /** @param {Action[]} actions */
  #act(actions) {
    for (const action of actions) {
      assert.equal(this.terminals.length, 0, "something follows the end");
      if (action.do === "connect") this.#act(this.#connect(action));
      if (action.do === "close" || action.do === "wait") this.#way = null;
      if (action.do === "deliver" && action.event.event === "delta") this.text += textOf(action.event.data);
      if (action.do === "reset") this.text = "";
      if (action.do === "finish") this.terminals.push(action);
    }
  }

  /** @param {Connect} connect @returns {Action[]} */
  #connect(connect) {
    const { connection, after, streamId } = connect;
    const refusal = this.plan.refusal(connection);
    if (refusal !== null) {
      this.reached.add("refuse");
      const { status, retryAfterS } = refusal;
      const retryAfterMs = retryAfterS === null ? null : 1000 * retryAfterS;
      return this.session.head(headOf({ status, contentType: CONTENT_TYPE, retryAfterMs }), this.nowMs);
    }
    if (this.log.readToItsEnd(after, this.nowMs)) {
      return this.session.head(headOf({ status: 204 }), this.nowMs);
    }
    this.#way = new Way(
      this.log.frames(connect, this.nowMs),
      this.plan,
      connection,
      this.reached,
      this.nowMs,
    );
    this.#parser = new Parser({ lastEventId: streamId ? eventId(STREAM, after) : "" });
    return this.session.head(
      headOf({ status: 200, contentType: CONTENT_TYPE, streamId: STREAM }),
      this.nowMs,
    );
  }
}

/** One connection: the server's frames through the plan, one after the other; notes which steps had their turn. */
class Way {
  /** @type {Happening[]} */
  pending = [];
  #frames;
  #disturbance;
  #steps;
  #reached;
  #atMs;
  #index = -1;

  /**
   * @param {Generator<{atMs: number, frame: Uint8Array}>} frames
   * @param {FaultPlan} plan
   * @param {number} connection
   * @param {Set<string>} reached
   * @param {number} nowMs
   */
  constructor(frames, plan, connection, reached, nowMs) {
    this.#frames = frames;
    this.#disturbance = plan.disturb(connection);
    this.#steps = plan.steps.filter(({ attempt }) => attempt === connection);
    this.#reached = reached;
    this.#atMs = nowMs;
  }

  next() {
    while (this.pending.length === 0 && !this.#disturbance.over) {
      const { value, done } = this.#frames.next();
      if (done) {
        this.pending.push(...this.#disturbance.end(this.#atMs));
      } else {
        this.#atMs = value.atMs;
        this.pending.push(...this.#disturbance.feed(value.frame, value.atMs));
        this.#note(Buffer.from(value.frame).toString("latin1").startsWith("event: ping"));
      }
    }
    return this.pending[0];
  }

  /** @param {boolean} ping */
  #note(ping) {
    this.#index += ping ? 0 : 1;
    for (const { kind, event } of this.#steps) {
      const turn = kind === "cut" ? this.#disturbance.over : ping === (kind === "heartbeat_loss");
      if (turn && kind !== "refuse" && event <= this.#index) this.#reached.add(kind);
    }
  }
}

/**
 * A journey that the seed chooses: of what text, at which pace, in which manner, with which line ends.
 *
 * @param {number} seed
 * @param {FaultPlan} plan
 */
export function journey(seed, plan) {
  const chance = new Chance(seed, 1);
  const log = new Log(chance);
  const way = pick(chance, WAYS);
  const maxAttempts = pick(chance, ATTEMPTS);
  const streamId = way === "start" ? "" : STREAM;
  const config = { logged: true, streamId, snapshot: way === "snapshot", maxAttempts };
  const nowMs = way === "start" ? 0 : chance.below(log.lastMs + 1);
  const session = new Session(config, () => chance.unit());
  return new Journey(plan, log, session, nowMs, maxAttempts === Math.max(...ATTEMPTS));
}
