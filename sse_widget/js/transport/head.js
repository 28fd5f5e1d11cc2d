/** Response heads, as a session takes them; the body of a refusal is read for its code and message. */
import { headOf } from "../protocol/actions.js";
import { CONTENT_TYPE } from "../protocol/events.js";
import { Parser } from "../protocol/sse.js";

/** @typedef {import("../protocol/actions.js").Head} Head */

/** What is no refusal, whose body is read by others. */
const BARE = new Set([200, 201, 204]);
/** The body of a refusal says one thing; what is longer is a page for people. */
export const MAX_REFUSAL_BYTES = 64 * 1024;

/**
 * Returns what a session needs of a response. The body of a success stays unread.
 *
 * @param {Response} response
 * @param {number} wallMs Unix time, for a Retry-After that is a date
 * @returns {Promise<Head>}
 */
export async function readHead(response, wallMs) {
  const head = headOf({
    status: response.status,
    contentType: response.headers.get("Content-Type") ?? "",
    // Where our server speaks as another does, its events have neither our ids nor our end.
    streamId: response.headers.has("X-Stream-Format") ? "" : (response.headers.get("X-Stream-Id") ?? ""),
    retryAfterMs: retryAfterMs(response.headers.get("Retry-After"), wallMs),
  });
  if (BARE.has(response.status)) {
    return head;
  }
  return { ...head, ...refusal(await bounded(response), head.contentType) };
}

/**
 * Returns the wait that a Retry-After header asks for (RFC 9110, 10.2.3), null without a usable one.
 *
 * @param {string | null} value seconds, or an HTTP date
 * @param {number} wallMs Unix time
 */
export function retryAfterMs(value, wallMs) {
  if (value === null) {
    return null;
  }
  if (/^\d+$/.test(value)) {
    return Number(value) * 1000;
  }
  const untilMs = Date.parse(value);
  return Number.isNaN(untilMs) ? null : Math.max(0, untilMs - wallMs);
}

/**
 * Returns code and message of one SSE `error` event or of problem+json (RFC 9457), empty where they are not said.
 *
 * @param {Uint8Array} body
 * @param {string} contentType
 */
function refusal(body, contentType) {
  const said = contentType.toLowerCase().startsWith(CONTENT_TYPE)
    ? errorEvent(body)
    : new TextDecoder().decode(body);
  /** @type {Record<string, unknown>} */
  let problem = {};
  try {
    problem = Object(JSON.parse(said));
  } catch {
    // A proxy's page: the status has to do.
  }
  const { code, message, detail, title } = problem;
  return { code: worded(code), message: worded(message) || worded(detail) || worded(title) };
}

/** @param {Uint8Array} body */
function errorEvent(body) {
  const parser = new Parser();
  const events = [...parser.feed(body), ...parser.feed(new TextEncoder().encode("\n\n"))];
  return events.find(({ event }) => event === "error")?.data ?? "";
}

/** @param {unknown} value */
function worded(value) {
  return typeof value === "string" ? value : "";
}

/**
 * The first bytes of a body, as many as arrive of MAX_REFUSAL_BYTES: the status stands when the rest is cut.
 *
 * @param {Response} response
 */
async function bounded(response) {
  const bytes = new Uint8Array(MAX_REFUSAL_BYTES);
  let size = 0;
  const reader = response.body?.getReader();
  try {
    while (reader && size < bytes.length) {
      const { done, value } = await reader.read();
      if (done) {
        break;
      }
      const part = value.subarray(0, bytes.length - size);
      bytes.set(part, size);
      size += part.length;
    }
    await reader?.cancel();
  } catch {
    // Cut: what has arrived is read.
  }
  return bytes.subarray(0, size);
}
