/**
 * A fault plan at work on one connection: frames in, what leaves and when out. Twin of protocol/disturbance.py.
 *
 * It is incremental and holds back only what `reorder` and `buffer` hold, which is bounded. The way of a frame: `truncate`
 * and `corrupt` change it, `cut` ends the connection at it, `duplicate` and `reorder` change the sequence, `stall`,
 * `delay`, `jitter` and `drip` the times, and `buffer` stands last, as the proxy next to the reader.
 */
import { Chance } from "./chance.js";

/** @typedef {import("./fault_steps.js").Step} Step */
/** @typedef {import("./fault_steps.js").Kind} Kind */
/** @typedef {{do: "sent", atMs: number, data: Uint8Array}} Sent these bytes leave at this time */
/** @typedef {{do: "over", atMs: number, broken: boolean}} Over the body ends; or, `broken`, it does without an end */
/** @typedef {Sent | Over} Happening */
/** @typedef {{step: Step, chance: Chance, count: number}} Lane a step with randomness of its own */

/** A frame drips in at most this many pieces; a longer one in larger pieces at the same rate. */
export const MAX_PIECES = 4096;

const PING = new TextEncoder().encode("event: ping");
const TIMING = new TextEncoder().encode("event: timing");
const CR = 0x0d;
const LF = 0x0a;

/** One connection under the steps that name it. Times never run backward in what it returns. */
export class Disturbance {
  /** Whether the connection has ended; nothing is returned after that. */
  over = false;
  /** @type {Lane[]} */
  #lanes;
  #index = -1;
  #freeMs = 0;
  /** @type {{due: number, data: Uint8Array}[]} */
  #late = [];
  /** @type {Uint8Array[]} */
  #held = [];
  #heldBytes = 0;

  /**
   * @param {number} seed
   * @param {{place: number, step: Step}[]} steps with their places in the plan
   */
  constructor(seed, steps) {
    this.#lanes = steps.map(({ place, step }) => ({ step, chance: new Chance(seed, place), count: 0 }));
  }

  /**
   * Takes the next frame, at the time when the undisturbed server writes it.
   *
   * @param {Uint8Array} frame
   * @param {number} atMs of any steady clock
   * @returns {Happening[]}
   */
  feed(frame, atMs) {
    if (this.over || frame.length === 0) return [];
    if (begins(frame, PING) || begins(frame, TIMING)) {
      const lost = begins(frame, PING) && this.#swallows();
      return lost ? [] : this.#send(frame, atMs);
    }
    this.#index += 1;
    const altered = this.#altered(frame);
    for (const { step } of this.#struck("stall")) this.#freeMs = Math.max(this.#freeMs, atMs) + step.ms;
    for (const lane of this.#lanes) {
      const kept = lane.step.kind === "cut" ? keptOf(lane, altered, this.#index) : null;
      if (kept !== null) {
        return [...this.#send(altered.subarray(0, kept), atMs), ...this.#close(atMs, !lane.step.clean)];
      }
    }
    return this.#ordered(altered, atMs);
  }

  /**
   * Takes the end of the undisturbed body: what was held back leaves, and the body ends.
   *
   * @param {number} atMs
   * @returns {Happening[]}
   */
  end(atMs) {
    return this.over ? [] : this.#close(atMs, false);
  }

  /** Repeats a frame or holds it back, and lets those go whose turn it is. @param {Uint8Array} frame @param {number} atMs */
  #ordered(frame, atMs) {
    const copies = this.#struck("duplicate").reduce((sum, { step }) => sum + step.times, 1);
    const late = Math.max(0, ...this.#struck("reorder").map(({ step }) => step.by));
    const data = joined(new Array(copies).fill(frame));
    /** @type {Happening[]} */
    const happenings = [];
    if (late > 0) this.#late.push({ due: this.#index + late, data });
    else happenings.push(...this.#send(data, atMs));
    const due = this.#late.filter((held) => held.due <= this.#index);
    this.#late = this.#late.filter((held) => held.due > this.#index);
    for (const held of due) happenings.push(...this.#send(held.data, atMs));
    return happenings;
  }

  /** The lanes of a kind that act on this frame alone. @param {Kind} kind */
  #struck(kind) {
    return this.#lanes.filter(({ step }) => step.kind === kind && step.event === this.#index);
  }

  /** The lanes of a kind in whose range this frame is; a ping counts with the frame before. @param {Kind} kind */
  #ranged(kind) {
    return this.#lanes.filter(({ step }) => {
      const begun = step.kind === kind && step.event <= this.#index;
      return begun && (step.events === 0 || this.#index < step.event + step.events);
    });
  }

  #swallows() {
    const lanes = this.#ranged("heartbeat_loss");
    const lane = lanes.find(({ step, count }) => step.pings === 0 || count < step.pings);
    if (lane) lane.count += 1;
    return lane !== undefined;
  }

  /** @param {Uint8Array} frame */
  #altered(frame) {
    let altered = frame;
    for (const { step, chance } of this.#struck("truncate")) {
      if (altered.length > 1) {
        const dropped = step.bytes ?? 1 + chance.below(altered.length - 1);
        altered = altered.subarray(0, Math.max(1, altered.length - dropped));
      }
    }
    for (const { step, chance } of this.#struck("corrupt")) {
      const at = step.offset === null ? chance.below(altered.length) : step.offset % altered.length;
      const mask = step.mask ?? 1 + chance.below(255);
      altered = altered.map((byte, place) => (place === at ? byte ^ mask : byte));
    }
    return altered;
  }

  /** Lets bytes leave when the times allow, and no earlier than what left before. @param {Uint8Array} data @param {number} atMs */
  #send(data, atMs) {
    if (data.length === 0) return [];
    let leaveMs = atMs;
    for (const { step } of this.#ranged("delay")) leaveMs += step.ms;
    for (const { step, chance } of this.#ranged("jitter")) leaveMs += chance.below(step.ms + 1);
    this.#freeMs = Math.max(this.#freeMs, leaveMs);
    const limit = Math.max(0, ...this.#ranged("buffer").map(({ step }) => step.bytes ?? 0));
    /** @type {Happening[]} */
    const happenings = [];
    for (const sent of this.#dripping(data)) {
      if (limit === 0) happenings.push(sent);
      else happenings.push(...this.#buffered(sent, limit));
    }
    return happenings;
  }

  /** @param {Uint8Array} data @returns {Generator<Sent>} */
  *#dripping(data) {
    const [lane] = this.#ranged("drip");
    if (lane === undefined) {
      yield { do: "sent", atMs: this.#freeMs, data };
      return;
    }
    const rate = lane.step.bytes ?? 1;
    const size = Math.max(rate, Math.ceil(data.length / MAX_PIECES));
    const beginMs = this.#freeMs;
    for (let at = 0; at < data.length; at += size) {
      this.#freeMs = beginMs + Math.floor(at / rate) * lane.step.ms;
      yield { do: "sent", atMs: this.#freeMs, data: data.subarray(at, at + size) };
    }
  }

  /** @param {Sent} sent @param {number} limit @returns {Happening[]} */
  #buffered(sent, limit) {
    this.#held.push(sent.data);
    this.#heldBytes += sent.data.length;
    return this.#heldBytes >= limit ? this.#flushed() : [];
  }

  /** @returns {Happening[]} */
  #flushed() {
    const data = joined(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    return data.length > 0 ? [{ do: "sent", atMs: this.#freeMs, data }] : [];
  }

  /** @param {number} atMs @param {boolean} broken @returns {Happening[]} */
  #close(atMs, broken) {
    const late = broken ? [] : this.#late.flatMap(({ data }) => this.#send(data, atMs));
    this.#freeMs = Math.max(this.#freeMs, atMs);
    const flushed = broken ? [] : this.#flushed();
    this.#late = [];
    this.#held = [];
    this.over = true;
    return [...late, ...flushed, { do: "over", atMs: this.#freeMs, broken }];
  }
}

/**
 * Returns how many bytes of the frame a cut lets through; null when it does not cut here.
 *
 * @param {Lane} lane
 * @param {Uint8Array} frame
 * @param {number} index
 */
function keptOf({ step, chance }, frame, index) {
  const { event, where, offset } = step;
  if (index < event) return null;
  if (where === "character" || where === "line_end") {
    const places = placesOf(frame, where);
    return places[places.length && chance.below(places.length)] ?? null;
  }
  if (index > event) return null;
  if (where === "before") return 0;
  if (where === "after") return frame.length;
  if (frame.length < 2) return 0;
  return offset === null ? 1 + chance.below(frame.length - 1) : Math.min(offset, frame.length - 1);
}

/** The offsets of continuation bytes of UTF-8, or of each LF after a CR. @param {Uint8Array} frame @param {"character" | "line_end"} where */
function placesOf(frame, where) {
  /** @type {number[]} */
  const places = [];
  for (const [at, byte] of frame.entries()) {
    const here = where === "character" ? (byte & 0xc0) === 0x80 : byte === LF && frame[at - 1] === CR;
    if (at > 0 && here) places.push(at);
  }
  return places;
}

/** Whether the first line of a frame is this one. @param {Uint8Array} frame @param {Uint8Array} line */
function begins(frame, line) {
  const end = frame[line.length];
  return (end === LF || end === CR) && line.every((byte, at) => frame[at] === byte);
}

/** @param {Uint8Array[]} pieces */
function joined(pieces) {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
