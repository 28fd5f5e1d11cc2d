/** Fault plans as people choose them: situations in plain words, kinds that are switched on and off, a seed. Pure. */
import { KINDS } from "../protocol/fault_steps.js";
import { FaultPlan } from "../protocol/faults.js";

/** @typedef {import("../protocol/fault_steps.js").InvalidPlan} InvalidPlan */
/** @typedef {{attempt: number, kind: string} & Record<string, unknown>} Said a step as JSON says it */
/** @typedef {"letter" | "proxy" | "slow" | "busy"} Situation */
/** @typedef {"none" | Situation | "drawn" | "custom"} Choice */

/** @type {(kind: string, fields?: Record<string, unknown>) => Said} */
const first = (kind, fields = {}) => ({ attempt: 1, kind, ...fields });

/** @type {Readonly<Record<Situation, readonly Said[]>>} */
export const SITUATIONS = Object.freeze({
  // Texts of ASCII have no letter to cut in: they are cut a little later, inside a word.
  letter: [first("cut", { event: 3, where: "character" }), first("cut", { event: 12, where: "inside" })],
  proxy: [first("buffer", { bytes: 8192 })],
  slow: [first("drip", { bytes: 16, ms: 25 }), first("jitter", { ms: 300 })],
  busy: [first("refuse", { status: 503, retry_after_s: 3 })],
});

/** What a kind does when it is switched on. @type {Readonly<Record<string, Said>>} */
const USUAL = Object.freeze({
  cut: first("cut", { event: 5 }),
  stall: first("stall", { event: 5, ms: 4000 }),
  delay: first("delay", { ms: 800 }),
  jitter: first("jitter", { ms: 800 }),
  duplicate: first("duplicate", { event: 4 }),
  reorder: first("reorder", { event: 4, by: 2 }),
  truncate: first("truncate", { event: 4 }),
  corrupt: first("corrupt", { event: 4 }),
  refuse: first("refuse", { status: 503, retry_after_s: 3 }),
  drip: first("drip", { bytes: 16, ms: 25 }),
  buffer: first("buffer", { bytes: 2048 }),
  heartbeat_loss: first("heartbeat_loss"),
});

/** The kinds that can be switched on. @type {readonly string[]} */
export const SWITCHED = KINDS.filter((kind) => Object.hasOwn(USUAL, kind));
/** The situations that can be chosen. */
export const SITUATION_NAMES = /** @type {Situation[]} */ (Object.keys(SITUATIONS));

/**
 * The plan of a text; null where there is none, with what is wrong with it unless it is empty.
 *
 * @param {string} text
 * @returns {{plan: FaultPlan | null, problem: InvalidPlan | null}}
 */
export function planOf(text) {
  if (!text.trim()) return { plan: null, problem: null };
  try {
    return { plan: FaultPlan.parse(text), problem: null };
  } catch (error) {
    return { plan: null, problem: /** @type {InvalidPlan} */ (error) };
  }
}

/**
 * The text of what was chosen, empty for no plan.
 *
 * @param {Choice} choice
 * @param {number} seed
 */
export function textOf(choice, seed) {
  if (choice === "drawn") return FaultPlan.random(seed).dump();
  if (choice === "none" || choice === "custom") return "";
  return FaultPlan.of({ seed, steps: SITUATIONS[choice] }).dump();
}

/** @param {FaultPlan | null} plan @returns {Choice} what it is, to the last field */
export function choiceOf(plan) {
  if (!plan) return "none";
  const text = plan.dump();
  const same = (/** @type {Choice} */ choice) => textOf(choice, plan.seed) === text;
  return SITUATION_NAMES.find(same) ?? (same("drawn") ? "drawn" : "custom");
}

/** @param {FaultPlan | null} plan @returns {Set<string>} */
export function kindsOf(plan) {
  return new Set(plan?.steps.map(({ kind }) => kind));
}

/**
 * The text of a plan with a kind switched on, by one usual step, or off; empty when nothing is left.
 *
 * @param {FaultPlan | null} plan
 * @param {string} kind
 * @param {boolean} on
 * @param {number} seed of a plan that this begins
 */
export function switched(plan, kind, on, seed) {
  const said = plan ? JSON.parse(plan.dump()) : { seed, steps: [] };
  const kept = said.steps.filter((/** @type {Said} */ step) => step.kind !== kind);
  const steps = on ? [...kept, USUAL[kind]] : kept;
  return steps.length > 0 ? FaultPlan.of({ ...said, steps }).dump() : "";
}

/** The text of a plan with another seed; one that was drawn is drawn anew. @param {FaultPlan} plan @param {number} seed */
export function reseeded(plan, seed) {
  if (choiceOf(plan) === "drawn") return textOf("drawn", seed);
  return FaultPlan.of({ ...JSON.parse(plan.dump()), seed }).dump();
}

/** The plan for people to read: a line for each step. @param {FaultPlan | null} plan */
export function spread(plan) {
  if (!plan) return "";
  const said = JSON.parse(plan.dump());
  const steps = said.steps.map((/** @type {Said} */ step) => `  ${spaced(step)}`).join(",\n");
  return `{"seed": ${said.seed}, "steps": [\n${steps}\n]}`;
}

/** @param {Said} step */
function spaced(step) {
  const fields = Object.entries(step).map(([name, value]) => `"${name}": ${JSON.stringify(value)}`);
  return `{${fields.join(", ")}}`;
}
