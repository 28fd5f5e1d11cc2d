/** Which way a stream takes to its reader, and what an answer says of the way that it came. */
import { CONTENT_TYPE } from "./events.js";

/** @typedef {"sse" | "websocket" | "poll"} Way */

/** The best first; the last one gets through wherever a question does. @type {readonly Way[]} */
export const WAYS = ["sse", "websocket", "poll"];

const NOT_OURS = new Set([400, 403, 405, 406, 415, 426, 501, 502, 504]);

/**
 * Whether an answer to a request for server-sent events is that of something between: our server says a code with every
 * refusal, and no other type of content.
 *
 * @param {import("./actions.js").Head} head
 */
export function isForeign({ status, contentType, code }) {
  if (status !== 200) return code === "" && NOT_OURS.has(status);
  const mediaType = (contentType.split(";")[0] ?? "").trim().toLowerCase();
  // The beginning of the type is our own head, cut.
  return !CONTENT_TYPE.startsWith(mediaType);
}
