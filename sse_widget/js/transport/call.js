/** What one consumer asks of a WebSocket: the same as its requests, as frames. */

/** @typedef {import("./transport.js").Opening} Opening */
/** @typedef {Awaited<ReturnType<import("./endpoint.js").Endpoint["said"]>>} Said */
/** @typedef {{address: URL, fields: import("./socket.js").Fields}} Call */

/** Parameters of a URL that concern whoever carries it, not the run; of these, the socket's own URL has the first two. */
const CARRIED = [
  "token",
  "_xsrf",
  "_",
  "key",
  "ticket",
  "after",
  "snapshot",
  "heartbeat_s",
  "once",
  "trace",
  "fault",
];
const OF_SOCKET = CARRIED.slice(0, 2);

/**
 * The frame of a session's request.
 *
 * @param {Said} said
 * @param {Opening} opening
 * @returns {Call}
 * @throws {Error} its credentials cannot travel this way
 */
export function openingCall(said, opening) {
  const { target, streamId, after, snapshot, heartbeatS, connection, trace } = opening;
  const beat = heartbeatS ?? said.url.searchParams.get("heartbeat_s");
  const fault = said.url.searchParams.get("fault");
  const asked = {
    ...(beat === null ? {} : { heartbeat_s: beat }),
    ...(trace ? { trace: trace === true ? 1 : trace } : {}),
    ...(fault === null ? {} : { fault, connection }),
    ...(connection > 1 && opening.reason ? { reason: opening.reason } : {}),
  };
  if (target === "start") {
    return call(said, {
      op: "start",
      body: { ...params(said.url), ...said.question },
      key: said.key,
      ...asked,
    });
  }
  const place = snapshot ? { snapshot: true } : after > 0 ? { after } : {};
  return call(said, { op: "attach", stream_id: streamId, ...place, ...asked });
}

/**
 * The frame that stops or tunes a run.
 *
 * @param {Said} said
 * @param {string} op
 * @param {string} streamId
 * @param {import("./transport.js").Changes} [changes]
 * @returns {Call}
 */
export function orderCall(said, op, streamId, changes) {
  return call(said, { op, stream_id: streamId, ...(changes ? { changes } : {}) });
}

/** @param {Said} said @param {Record<string, unknown>} fields @returns {Call} */
function call({ url, runs, headers }, fields) {
  const address = new URL("../ws", runs);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  for (const name of OF_SOCKET) {
    const value = url.searchParams.get(name);
    if (value !== null) address.searchParams.set(name, value);
  }
  const [scheme = "", value = ""] = (headers.get("Authorization") ?? "").split(" ");
  // Browsers send no headers with a WebSocket. Jupyter takes its token from the URL; others' tokens stay out of URLs.
  if (scheme.toLowerCase() === "token") address.searchParams.set("token", value);
  else if (scheme && scheme.toLowerCase() !== "ticket")
    throw new Error("a WebSocket carries no such credentials");
  const ticket = url.searchParams.get("ticket") || (scheme.toLowerCase() === "ticket" ? value : "");
  if (ticket) address.searchParams.set("ticket", ticket);
  const lang = headers.get("Accept-Language");
  return { address, fields: { ...fields, ...(ticket ? { ticket } : {}), ...(lang ? { lang } : {}) } };
}

/** The fields of a question that stand in the URL. @param {URL} url */
function params(url) {
  const given = [...url.searchParams].filter(([name]) => !CARRIED.includes(name));
  return Object.fromEntries(given);
}
