/**
 * Typed messages of a stream: their names, their data, and which of them end it (design.md section 4).
 * Twin of protocol/events.py.
 */

export const CONTENT_TYPE = "text/event-stream";
export const TEXT = "delta";
export const PING_DATA = "🔧";
/** Events about a connection: never logged, never counted in seq. */
export const CONNECTION_EVENTS = new Set(["hello", "ping", "timing"]);

/** @typedef {"done" | "stopped" | "error" | "interrupted" | "gap" | "closed"} TerminalState */
/** @typedef {"stop" | "length" | "stopped"} DoneReason */
/** @typedef {{reason: DoneReason, tokens: number, chars: number, crc32: number}} Done */
/** @typedef {{check: (value: unknown) => boolean, missing?: unknown}} Field */

const EVENT_ID = /^([0-9a-f]{32}):(0|[1-9][0-9]{0,15})$/;
const DONE_REASONS = ["stop", "length", "stopped"];

/** @type {(value: unknown) => boolean} */
const isText = (value) => typeof value === "string" && !/\p{Surrogate}/u.test(value);
/** @type {(value: unknown) => boolean} */
const isFlag = (value) => typeof value === "boolean";

/** Well-formed text: JSON can also spell half a surrogate pair, which no UTF-8 holds. */
export const text = { check: isText };
export const number = { check: Number.isFinite };
export const integer = { check: Number.isSafeInteger };
export const flag = { check: isFlag };

/** @type {Record<string, Record<string, Field>>} */
const BY_NAME = {
  hello: {
    ts: number,
    model: text,
    stream_id: text,
    conversation_id: text,
    resumed: flag,
    after: integer,
    gap: flag,
    heartbeat_s: number,
    node: text,
  },
  start: { status: { ...text, missing: "started" } },
  [TEXT]: { text },
  metadata: { model_used: text, tokens_used: integer, elapsed_seconds: number },
  done: {
    reason: { check: (value) => DONE_REASONS.includes(/** @type {string} */ (value)) },
    tokens: integer,
    chars: integer,
    crc32: integer,
  },
  error: { message: text, code: text, type: text, retryable: flag },
};

/**
 * Returns the named fields of a JSON object, or null when the data are no such object.
 *
 * @param {string} data
 * @param {Record<string, Field>} fields
 * @returns {any}
 */
export function decode(data, fields) {
  const value = parsed(data);
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    return null;
  }
  /** @type {Record<string, unknown>} */
  const message = {};
  for (const [name, { check, missing }] of Object.entries(fields)) {
    const field = Object.hasOwn(value, name) ? value[name] : missing;
    if (!check(field)) {
      return null;
    }
    message[name] = field;
  }
  return message;
}

/**
 * Returns the typed message, or null for a name that has no type or data of another shape.
 *
 * @param {string} name
 * @param {string} data
 */
export function load(name, data) {
  const fields = Object.hasOwn(BY_NAME, name) ? BY_NAME[name] : undefined;
  return fields === undefined ? null : decode(data, fields);
}

/**
 * Returns the text of a delta's data, empty when it has none.
 *
 * @param {string} data
 * @returns {string}
 */
export function textOf(data) {
  return load(TEXT, data)?.text ?? "";
}

/**
 * Returns the id of an event on the wire: `<stream_id>:<seq>`.
 *
 * @param {string} streamId
 * @param {number} seq
 */
export function eventId(streamId, seq) {
  return `${streamId}:${seq}`;
}

/**
 * Returns the stream and seq of an event id, or null when it is not one of ours.
 *
 * @param {string} value
 * @returns {{streamId: string, seq: number} | null}
 */
export function parseEventId(value) {
  const [, streamId, seq] = EVENT_ID.exec(value) ?? [];
  return streamId === undefined ? null : { streamId, seq: Number(seq) };
}

/** @param {string} data */
function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}
