/**
 * A seeded plan of faults, the same in both languages: JSON in, one disturbance a connection out.
 *
 *     {"seed": 7, "steps": [{"attempt": 1, "kind": "cut", "event": 3, "where": "character"}]}
 *
 * A step names the connection that it acts on (what `X-SSE-Reconnect` calls `connection`), so that no cut repeats for
 * ever. The same plan does the same to the same frames, byte by byte. Twin of protocol/faults.py.
 */
import { Chance, SEEDS } from "./chance.js";
import { Disturbance } from "./disturbance.js";
import { fieldsOf, InvalidPlan, isObject, KINDS, stepOf, WHERE, whole } from "./fault_steps.js";

/** @typedef {import("./fault_steps.js").Step} Step */
/** @typedef {{least: number, most: number}} Range */

export const MAX_STEPS = 64;
/** Of a plan as JSON: more than MAX_STEPS steps need. */
export const MAX_TEXT_CHARS = 16_384;
/** A drawn plan leaves the connections after this one alone, so that a reader with ten attempts gets through. */
export const DRAWN_ATTEMPTS = 8;
export const DRAWN_STEPS = 16;
export const DRAWN_EVENTS = 1000;

const SEED = { least: 0, most: SEEDS - 1 };
/** A stream of randomness that no step has. */
const DRAWING = SEEDS - 1;

/**
 * What a drawn step may have, in the order in which it is drawn. Of the refusals, the last two are for good.
 *
 * @type {Record<string, Record<string, Range | readonly unknown[]>>}
 */
const DRAWN = {
  cut: { where: WHERE, clean: [false, true] },
  stall: { ms: { least: 1, most: 60_000 } },
  delay: { events: { least: 0, most: 9 }, ms: { least: 1, most: 2000 } },
  jitter: { events: { least: 0, most: 9 }, ms: { least: 1, most: 2000 } },
  duplicate: { times: { least: 1, most: 3 } },
  reorder: { by: { least: 1, most: 4 } },
  truncate: {},
  corrupt: {},
  refuse: {
    status: [429, 500, 502, 503, 504, 408, 429, 503, 404, 410],
    retry_after_s: { least: 0, most: 9 },
  },
  drip: { events: { least: 0, most: 9 }, bytes: { least: 1, most: 64 }, ms: { least: 1, most: 50 } },
  buffer: { bytes: { least: 64, most: 8192 } },
  heartbeat_loss: { pings: { least: 0, most: 3 } },
};

/** What is to go wrong; `seed` chooses what the steps leave open. */
export class FaultPlan {
  /** @param {number} seed @param {readonly Step[]} [steps] */
  constructor(seed, steps = []) {
    this.seed = seed;
    this.steps = Object.freeze([...steps]);
    Object.freeze(this);
  }

  /**
   * Returns the plan of decoded JSON.
   *
   * @param {unknown} value
   * @throws {InvalidPlan} which names the step and the field
   */
  static of(value) {
    if (!isObject(value)) throw new InvalidPlan("it must be an object");
    for (const name of Object.keys(value)) {
      if (name !== "seed" && name !== "steps") {
        throw new InvalidPlan("is no field of a plan, which has seed, steps", name);
      }
    }
    const { seed: given, steps = [] } = value;
    const seed = whole(given, SEED, "seed");
    if (!Array.isArray(steps) || steps.length > MAX_STEPS) {
      throw new InvalidPlan(`must be a list of at most ${MAX_STEPS} steps`, "steps");
    }
    return new FaultPlan(seed, steps.map(stepOf));
  }

  /**
   * Returns the plan of a JSON text.
   *
   * @param {string} text
   * @throws {InvalidPlan}
   */
  static parse(text) {
    if (text.length > MAX_TEXT_CHARS) throw new InvalidPlan(`it is longer than ${MAX_TEXT_CHARS} characters`);
    let value;
    try {
      value = JSON.parse(text);
    } catch {
      throw new InvalidPlan("it is no JSON");
    }
    return FaultPlan.of(value);
  }

  /**
   * Draws a plan of 1 to `steps` steps on the first `attempts` connections, within their first `events` frames. Every
   * kind is as likely.
   *
   * @param {number} seed
   * @param {{attempts?: number, steps?: number, events?: number}} [bounds] at most 8, 16 and 1000
   * @throws {InvalidPlan}
   */
  static random(seed, { attempts = 4, steps = 6, events = 32 } = {}) {
    const chance = new Chance(whole(seed, SEED, "seed"), DRAWING);
    whole(attempts, { least: 1, most: DRAWN_ATTEMPTS }, "attempts");
    whole(events, { least: 1, most: DRAWN_EVENTS }, "events");
    const count = 1 + chance.below(whole(steps, { least: 1, most: DRAWN_STEPS }, "steps"));
    const drawnSteps = Array.from({ length: count }, () => drawn(chance, attempts, events));
    return FaultPlan.of({ seed, steps: drawnSteps });
  }

  /** Returns the plan as JSON on one line, the same in both languages, with every field of its steps. */
  dump() {
    return JSON.stringify({ seed: this.seed, steps: this.steps.map(fieldsOf) });
  }

  /**
   * Returns what a connection is refused with, null when it is let in.
   *
   * @param {number} attempt counts from 1
   * @returns {{status: number, retryAfterS: number | null} | null}
   */
  refusal(attempt) {
    const step = this.steps.find(({ kind, attempt: named }) => kind === "refuse" && named === attempt);
    return step ? { status: step.status, retryAfterS: step.retry_after_s } : null;
  }

  /**
   * Returns what happens to the frames of a connection.
   *
   * @param {number} attempt
   */
  disturb(attempt) {
    const steps = this.steps.map((step, place) => ({ place, step }));
    return new Disturbance(
      this.seed,
      steps.filter(({ step }) => step.attempt === attempt),
    );
  }
}

/** @param {Chance} chance @param {number} attempts @param {number} events */
function drawn(chance, attempts, events) {
  const attempt = 1 + chance.below(attempts);
  const kind = /** @type {string} */ (KINDS[chance.below(KINDS.length)]);
  /** @type {Record<string, unknown>} */
  const step = kind === "refuse" ? { attempt, kind } : { attempt, kind, event: chance.below(events) };
  for (const [name, options] of Object.entries(DRAWN[kind] ?? {})) {
    step[name] =
      "least" in options
        ? options.least + chance.below(options.most - options.least + 1)
        : options[chance.below(options.length)];
  }
  return step;
}
