/**
 * A Vercel edge function that passes streams on from a server elsewhere, so that pages may ask their own origin.
 *
 * Settings of the project: SSE_SERVER_URL (https://stream.example), and SSE_SERVER_TOKEN when the server wants one.
 * Whoever reaches the page then asks with that token: put the project's own login in front of it.
 */
export const config = { runtime: "edge" };

const ROUTES = "/api/v1/stream/";
const PASSED_ON = [
  "accept",
  "accept-language",
  "content-type",
  "idempotency-key",
  "last-event-id",
  "x-sse-reconnect",
];
const PASSED_BACK = ["cache-control", "content-type", "location", "retry-after", "x-stream-id"];

/**
 * @param {Request} request
 * @returns {Promise<Response>}
 */
export default async function handler(request) {
  const { SSE_SERVER_URL: server } = process.env;
  if (!server) return refusal(500, "internal", "SSE_SERVER_URL is not set; add it to the project's settings");
  const target = targetOf(request.url, server);
  if (target === null) return refusal(404, "no_route", "this function passes on nothing but streams");
  if (target.pathname === `${ROUTES}ws`) {
    return refusal(501, "no_websocket", "edge functions carry no WebSocket; pages go on by long-polling");
  }
  const body = ["GET", "HEAD"].includes(request.method) ? null : await request.arrayBuffer();
  try {
    const answer = await fetch(target, {
      method: request.method,
      headers: headersFor(request),
      body,
      redirect: "manual",
      // A reader who leaves, leaves the server, too; the run goes on there.
      signal: request.signal,
    });
    return new Response(answer.body, { status: answer.status, headers: picked(answer.headers, PASSED_BACK) });
  } catch {
    return refusal(502, "upstream_error", "the server behind this function does not answer");
  }
}

/**
 * Where a request goes; null for what is no stream's. The rewrite of vercel.json gives the rest of the path as `path`.
 *
 * @param {string} url
 * @param {string} server
 */
function targetOf(url, server) {
  const { pathname, searchParams } = new URL(url);
  const rest = searchParams.get("path");
  searchParams.delete("path");
  const target = new URL(rest === null ? pathname : ROUTES + rest, server);
  target.search = searchParams.toString();
  // Judged when it is resolved: `..` leads to other routes, which the token opens as well.
  return target.pathname.startsWith(ROUTES) ? target : null;
}

/** @param {Request} request */
function headersFor(request) {
  const headers = picked(request.headers, PASSED_ON);
  const { SSE_SERVER_TOKEN: token } = process.env;
  if (token) headers.set("authorization", `Bearer ${token}`);
  return headers;
}

/**
 * @param {Headers} headers
 * @param {string[]} names
 */
function picked(headers, names) {
  const found = new Headers();
  for (const name of names) {
    const value = headers.get(name);
    if (value !== null) found.set(name, value);
  }
  return found;
}

/**
 * @param {number} status
 * @param {string} code
 * @param {string} detail
 */
function refusal(status, code, detail) {
  const headers = { "content-type": "application/problem+json" };
  return Response.json({ title: code, status, code, detail }, { status, headers });
}
