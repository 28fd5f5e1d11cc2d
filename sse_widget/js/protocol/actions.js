/**
 * What goes into a session and what comes out: its settings, a response head, and the actions for the shell.
 * Twin of protocol/actions.py.
 */
import { Backoff } from "./backoff.js";

/** @typedef {import("./events.js").TerminalState} TerminalState */
/** @typedef {import("./sse.js").SSEEvent} SSEEvent */
/**
 * How a reader behaves; times in milliseconds.
 *
 * `streamId` and `after` attach to a stream that runs already. `snapshot` asks for its text so far as one delta.
 * `repeatable` says that the first request may be sent again after it was answered (a GET); `logged` that the server is
 * known to keep streams, as ours does, so that a repeated first request with the same key is the same run.
 *
 * @typedef {object} SessionConfig
 * @property {boolean} reconnect
 * @property {number} maxAttempts
 * @property {Backoff} backoff
 * @property {number} heartbeatTimeoutMs
 * @property {string} streamId
 * @property {number} after
 * @property {string} lastEventId
 * @property {boolean} snapshot
 * @property {boolean} repeatable
 * @property {boolean} logged
 */
/**
 * What matters of a response head; `code` and `message` come from the body of a refusal.
 *
 * @typedef {object} Head
 * @property {number} status
 * @property {string} contentType
 * @property {string} streamId
 * @property {number | null} retryAfterMs
 * @property {string} code
 * @property {string} message
 */
/**
 * Open a connection: `start` sends the first request, `resume` reads `streamId` after `after`.
 *
 * @typedef {object} Connect
 * @property {"connect"} do
 * @property {"start" | "resume"} target
 * @property {string} streamId
 * @property {number} after
 * @property {string} lastEventId
 * @property {boolean} snapshot
 * @property {number} connection 1, 2, 3 ...
 * @property {string} reason why the last one broke
 */
/** @typedef {{do: "close"}} Close drop the connection that is open */
/** @typedef {{do: "wait", delayMs: number, attempt: number, reason: string}} Wait then `tick` */
/** @typedef {{do: "deliver", event: SSEEvent}} Deliver hand this event to the consumer */
/** @typedef {{do: "reset"}} Reset forget all text: the stream is read again from its start */
/** @typedef {{do: "finish", state: TerminalState, code: string, message: string}} Finish for good */
/** @typedef {Connect | Close | Wait | Deliver | Reset | Finish} Action */
/** @typedef {"idle" | "connecting" | "open" | "waiting" | "ended"} Phase */

/** @type {Readonly<SessionConfig>} */
export const DEFAULTS = Object.freeze({
  reconnect: true,
  maxAttempts: 10,
  backoff: new Backoff(),
  heartbeatTimeoutMs: 45_000,
  streamId: "",
  after: 0,
  lastEventId: "",
  snapshot: false,
  repeatable: false,
  logged: false,
});

/**
 * Returns a whole head from what is known of it.
 *
 * @param {Partial<Head> & {status: number}} known
 * @returns {Head}
 */
export function headOf(known) {
  return { contentType: "", streamId: "", retryAfterMs: null, code: "", message: "", ...known };
}
