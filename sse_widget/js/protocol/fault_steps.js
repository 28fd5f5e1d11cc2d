/**
 * The steps of a fault plan: what can be done to a connection, and which values are allowed.
 *
 * A frame is one encoded event, as the server writes it (of a foreign recording: one read). `event` counts the frames of
 * one connection from 0, which is `hello`; `ping` and `timing` have no number, because when they come depends on the
 * clock. Twin of protocol/fault_steps.py, which says what each kind does.
 */

/** @typedef {"cut" | "stall" | "delay" | "jitter" | "duplicate" | "reorder" | "truncate" | "corrupt" | "refuse" | "drip" | "buffer" | "heartbeat_loss"} Kind */
/** @typedef {"before" | "inside" | "after" | "character" | "line_end"} Where */
/**
 * One fault, on the connection with the number `attempt` (1 is a reader's first); `event` is where it begins. It has the
 * fields of its kind, as JSON has them; the plan's seed chooses what is null.
 *
 * @typedef {object} Step
 * @property {number} attempt
 * @property {Kind} kind
 * @property {number} event
 * @property {number} events
 * @property {Where} where
 * @property {number | null} offset
 * @property {boolean} clean
 * @property {number} ms
 * @property {number} times
 * @property {number} by
 * @property {number | null} bytes
 * @property {number | null} mask
 * @property {number} status
 * @property {number | null} retry_after_s
 * @property {number} pings
 */
/** @typedef {{least: number, most: number, missing?: number | null}} Whole `missing` is null when the seed chooses */
/** @typedef {Whole | {words: readonly string[]} | {flag: true}} Rule of words, the first is the default */

/** No step holds or drops more bytes than this: 1 MiB. */
export const MAX_BYTES = 2 ** 20;
export const MAX_FRAMES_LATE = 16;

/** A fault plan has a field that cannot be; `step` counts from 0, null for the plan's own fields. */
export class InvalidPlan extends Error {
  /** @param {string} problem @param {string} [field] @param {number | null} [step] */
  constructor(problem, field = "", step = null) {
    const where = step === null ? field : `steps[${step}]${field && `.${field}`}`;
    super(where ? `fault plan: ${where} ${problem}` : `fault plan: ${problem}`);
    this.name = "InvalidPlan";
    this.code = "invalid_request";
    this.step = step;
    this.field = field;
  }
}

const ATTEMPT = { least: 1, most: 1000 };
export const WHERE = Object.freeze(["inside", "before", "after", "character", "line_end"]);
const EVENT = { event: { least: 0, most: 1_000_000, missing: 0 } };
const EVENTS = { ...EVENT, events: { least: 0, most: 1_000_000, missing: 0 } };
const MS = { ms: { least: 1, most: 600_000 } };
const FLAG = /** @type {const} */ ({ flag: true });

/** @type {Record<Kind, Record<string, Rule>>} */
const RULES = {
  cut: {
    ...EVENT,
    where: { words: WHERE },
    offset: { least: 1, most: MAX_BYTES, missing: null },
    clean: FLAG,
  },
  stall: { ...EVENT, ...MS },
  delay: { ...EVENTS, ...MS },
  jitter: { ...EVENTS, ...MS },
  duplicate: { ...EVENT, times: { least: 1, most: 8, missing: 1 } },
  reorder: { ...EVENT, by: { least: 1, most: MAX_FRAMES_LATE, missing: 1 } },
  truncate: { ...EVENT, bytes: { least: 1, most: MAX_BYTES, missing: null } },
  corrupt: {
    ...EVENT,
    offset: { least: 0, most: MAX_BYTES, missing: null },
    mask: { least: 1, most: 255, missing: null },
  },
  refuse: {
    status: { least: 400, most: 599, missing: 503 },
    retry_after_s: { least: 0, most: 3600, missing: null },
  },
  drip: {
    ...EVENTS,
    bytes: { least: 1, most: MAX_BYTES, missing: 1 },
    ms: { least: 1, most: 60_000, missing: 1 },
  },
  buffer: { ...EVENT, bytes: { least: 1, most: MAX_BYTES, missing: 4096 } },
  heartbeat_loss: { ...EVENT, pings: { least: 0, most: 1_000_000, missing: 0 } },
};
export const KINDS = /** @type {Kind[]} */ (Object.keys(RULES));

/** @type {Omit<Step, "attempt" | "kind">} */
const UNSAID = {
  event: 0,
  events: 0,
  where: "inside",
  offset: null,
  clean: false,
  ms: 0,
  times: 1,
  by: 1,
  bytes: null,
  mask: null,
  status: 503,
  retry_after_s: null,
  pings: 0,
};

/**
 * Returns the step that decoded JSON describes.
 *
 * @param {unknown} value
 * @param {number} number
 * @returns {Step}
 * @throws {InvalidPlan} with the number of the step and the field
 */
export function stepOf(value, number) {
  if (!isObject(value)) throw new InvalidPlan("must be an object", "", number);
  const { kind: given } = value;
  const kind = KINDS.find((known) => known === given);
  if (kind === undefined) throw new InvalidPlan(`must be one of ${KINDS.join(", ")}`, "kind", number);
  const rules = RULES[kind];
  for (const name of Object.keys(value)) {
    if (!Object.hasOwn(rules, name) && name !== "attempt" && name !== "kind") {
      const has = Object.keys(rules).join(", ");
      throw new InvalidPlan(`is no field of ${kind}, which has ${has}`, name, number);
    }
  }
  /** @type {any} */
  const step = { ...UNSAID, attempt: checked(value, "attempt", ATTEMPT, number), kind };
  for (const [name, rule] of Object.entries(rules)) step[name] = checked(value, name, rule, number);
  if (kind === "cut" && step.offset !== null && step.where !== "inside") {
    throw new InvalidPlan("belongs to a cut inside a frame", "offset", number);
  }
  return Object.freeze(step);
}

/**
 * Returns a step as JSON has it: every field of its kind but those that the seed chooses.
 *
 * @param {Step} step
 */
export function fieldsOf(step) {
  const names = /** @type {(keyof Step)[]} */ (["attempt", "kind", ...Object.keys(RULES[step.kind])]);
  return Object.fromEntries(names.filter((name) => step[name] !== null).map((name) => [name, step[name]]));
}

/**
 * Returns a whole number within its bounds.
 *
 * @param {unknown} given
 * @param {Whole} rule
 * @param {string} field
 * @param {number | null} [step]
 * @returns {number}
 * @throws {InvalidPlan}
 */
export function whole(given, { least, most }, field, step = null) {
  if (typeof given !== "number" || !Number.isInteger(given) || given < least || given > most) {
    throw new InvalidPlan(`must be a whole number from ${least} to ${most}`, field, step);
  }
  return given;
}

/**
 * Whether decoded JSON is an object.
 *
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {Record<string, unknown>} value @param {string} name @param {Rule} rule @param {number} number */
function checked(value, name, rule, number) {
  const said = Object.hasOwn(value, name);
  const given = value[name];
  if ("least" in rule) {
    return said || rule.missing === undefined ? whole(given, rule, name, number) : rule.missing;
  }
  if ("words" in rule) {
    if (said && !rule.words.includes(/** @type {string} */ (given))) {
      throw new InvalidPlan(`must be one of ${rule.words.join(", ")}`, name, number);
    }
    return said ? given : rule.words[0];
  }
  if (said && typeof given !== "boolean") throw new InvalidPlan("must be true or false", name, number);
  return said ? given : false;
}
