/** What a consumer needs of a transport: it brings events, or the bytes of them, and has no logic of its own. */

/** @typedef {import("../protocol/actions.js").Connect & {heartbeatS: number | null, trace?: boolean | "write"}} Opening null asks for the server's own heartbeat, `trace` for its times */
/** @typedef {{streamId: string, after: number, lastEventId: string, snapshot: boolean}} Place where a stream is gone on from */
/** @typedef {Record<string, number | boolean>} Changes knobs of a run by their name on the wire: chunk_tokens, chunk_ms, delay_ms */
/**
 * What one connection reports, never before `open` has returned. `ended`, `failed` and `again` come last, and nothing
 * comes after the connection was dropped.
 *
 * @typedef {object} Sink
 * @property {(head: import("../protocol/actions.js").Head) => void} head once, first
 * @property {(bytes: Uint8Array, atMs: number) => void} bytes of server-sent events, and when they were handed over
 * @property {(event: import("../protocol/sse.js").SSEEvent, sizeBytes: number, atMs?: number) => void} event from a
 *   transport of messages; size and time are those of the whole message
 * @property {() => void} ended
 * @property {(reason: string) => void} failed by a short word for logs and the server
 * @property {(reason: string) => void} again asks to be opened again at once: the transport has chosen another way
 * @property {(name: string, reason: string) => void} via says which way this connection takes
 */
/**
 * @typedef {object} Transport
 * @property {string} name sse, websocket, poll or relay
 * @property {Place} place
 * @property {string} [awaits] code of what a reader is told while it connects, if not that it does
 * @property {boolean} logged whether the server is known to be ours, where the same key is the same run
 * @property {boolean} repeatable whether the first request may be sent again once it was answered
 * @property {(opening: Opening, sink: Sink) => () => void} open returns the function that drops the connection
 * @property {(streamId: string) => Promise<boolean>} stop ends a run; whether the server agreed
 * @property {(streamId: string, changes: Changes) => Promise<boolean>} tune changes a running run; whether the server agreed, rejecting
 *   when it could not be reached
 * @property {() => import("./courier.js").Courier | null} courier says things beside the stream; null where no request of
 *   this page reaches the server
 */

export {};
