/** The requests of one consumer: which URL, which headers, for starting, resuming and stopping a stream. */
import { CONTENT_TYPE, eventId, parseEventId } from "../protocol/events.js";

/** @typedef {import("./transport.js").Opening} Opening */
/** @typedef {Record<string, string> | Headers | [string, string][]} HeaderFields */
/**
 * @typedef {object} EndpointOptions
 * @property {string} [method] GET, or POST when there is a body
 * @property {unknown} [body] an object is sent as JSON, a string as it is
 * @property {HeaderFields | (() => HeaderFields | Promise<HeaderFields>)} [headers] go with every request; a function
 *   is asked anew each time
 * @property {string} [key] idempotency key: the same key is the same run
 * @property {string} [runsUrl] where streams are resumed, if not at `runs/` beside the URL
 * @property {RequestCredentials} [credentials]
 * @property {string} [lastEventId] where to go on from
 * @property {boolean} [snapshot] begin with the text so far as one delta
 */

export const JSON_TYPE = "application/json";
const OWN_START = /\/api\/v1\/stream\/chat\/?$/;
const RUN_PATH = /\/runs\/([0-9a-f]{32})\/?$/;
/** These ask a question, or say where to begin; a resume does neither. */
const START_PARAMS = ["q", "question", "key", "after", "snapshot"];

/** Where one stream is started, read and stopped. */
export class Endpoint {
  #url;
  #runs;
  #init;
  #headers;
  #key;
  #sameOrigin;

  /**
   * @param {string | URL} url
   * @param {EndpointOptions} options
   * @param {{pageUrl: string | undefined, newKey: () => string}} platform no page means no foreign origin
   * @throws {TypeError} the URL is not one
   */
  constructor(url, options, { pageUrl, newKey }) {
    const {
      body,
      method = body === undefined ? "GET" : "POST",
      headers = {},
      credentials = "same-origin",
    } = options;
    this.#url = new URL(url, pageUrl);
    this.#headers = headers;
    this.#sameOrigin = pageUrl === undefined || new URL(pageUrl).origin === this.#url.origin;
    this.method = method.toUpperCase();
    const json = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    /** @type {RequestInit} */
    this.#init = {
      credentials,
      cache: "no-store",
      method: this.method,
      ...(json === undefined ? {} : { body: json }),
    };
    /** Whether the path is one of sse-widget's server, where the same key is the same run. */
    this.logged = OWN_START.test(this.#url.pathname) || options.runsUrl !== undefined;
    // Another server would not know the key that nobody asked for.
    const keyed = this.logged || this.#sameOrigin || this.method !== "GET";
    this.#key = options.key ?? (keyed ? newKey() : "");
    this.#runs = runsOf(this.#url, options.runsUrl, pageUrl);
    this.place = placeOf(this.#url, options);
    this.repeatable = this.method === "GET";
    /** Whether the server is one of sse-widget's, as far as the address tells. */
    this.ours = this.logged || this.place.streamId !== "";
    this.origin = this.#url.origin;
  }

  /**
   * The request that a session asks for.
   *
   * @param {Opening} opening
   * @returns {Promise<import("./fetch.js").Request>}
   */
  async request(opening) {
    const headers = await this.#fields();
    headers.set("Accept", CONTENT_TYPE);
    // The header costs a preflight from another origin, and a fault plan goes by it.
    if ((this.#sameOrigin || this.#url.searchParams.has("fault")) && opening.connection > 1) {
      const reason = opening.reason.replace(/[^\w.-]/g, "_").slice(0, 64);
      const why = reason ? `; reason=${reason}` : "";
      headers.set("X-SSE-Reconnect", `connection=${opening.connection}${why}`);
    }
    return opening.target === "start" ? this.#start(opening, headers) : this.#resume(opening, headers);
  }

  /**
   * The request that starts a run and answers where it is read, not with the stream of it.
   *
   * @param {Opening} opening
   */
  async create(opening) {
    const headers = await this.#fields();
    headers.set("Accept", JSON_TYPE);
    headers.set("Content-Type", JSON_TYPE);
    const { url, init } = this.#start(opening, headers);
    return { url, init: { ...init, method: "POST", body: init.body ?? "{}" } };
  }

  /**
   * The request of what there is to read of a run, or comes next: long-polling.
   *
   * @param {Opening} opening
   */
  async poll(opening) {
    const { url, init } = await this.request(opening);
    const once = new URL(url);
    once.searchParams.set("once", "1");
    const headers = new Headers(init.headers);
    headers.set("Accept", JSON_TYPE);
    return { url: once.href, init: { ...init, headers } };
  }

  /** What a request would say, for transports that send no requests: the URL, the headers, the fields of the question. */
  async said() {
    const headers = await this.#fields();
    const { body } = this.#init;
    const question = body === undefined ? {} : JSON.parse(/** @type {string} */ (body));
    const key = headers.get("Idempotency-Key") ?? this.#url.searchParams.get("key") ?? this.#key;
    return { url: new URL(this.#url), runs: new URL(this.#runs), headers, question, key };
  }

  /**
   * The request that stops a run.
   *
   * @param {string} streamId
   */
  async stop(streamId) {
    return this.#order(streamId, "DELETE", await this.#fields());
  }

  /**
   * The request that changes knobs of a run.
   *
   * @param {string} streamId
   * @param {import("./transport.js").Changes} changes
   */
  async tune(streamId, changes) {
    const headers = await this.#fields();
    headers.set("Content-Type", JSON_TYPE);
    return this.#order(streamId, "PATCH", headers, JSON.stringify(changes));
  }

  /**
   * The request that tells what this page saw of a run.
   *
   * @param {string} streamId
   * @param {object} batch
   */
  async spans(streamId, batch) {
    const headers = await this.#fields();
    headers.set("Content-Type", JSON_TYPE);
    const { url, init } = this.#order(streamId, "POST", headers, JSON.stringify(batch));
    const spans = new URL(url);
    spans.pathname += "/spans";
    return { url: spans.href, init };
  }

  /** The request that asks what time it is there. */
  async clock() {
    const url = new URL("../../clock", this.#runs);
    const ticket = this.#url.searchParams.get("ticket");
    if (ticket) url.searchParams.set("ticket", ticket);
    const { credentials, cache } = this.#init;
    const init = /** @type {RequestInit} */ ({ credentials, cache, headers: await this.#fields() });
    return { url: url.href, init };
  }

  /** @param {string} streamId @param {string} method @param {Headers} headers @param {string} [body] */
  #order(streamId, method, headers, body) {
    const { credentials, cache } = this.#init;
    const init = { credentials, cache, method, headers, ...(body === undefined ? {} : { body }) };
    return { url: this.#run(streamId).href, init: /** @type {RequestInit} */ (init) };
  }

  /** @param {Opening} opening @param {Headers} headers */
  #start({ lastEventId, heartbeatS, trace }, headers) {
    const url = connecting(new URL(this.#url), heartbeatS, trace);
    if (this.#init.body !== undefined && !headers.has("Content-Type")) {
      headers.set("Content-Type", JSON_TYPE);
    }
    if (lastEventId) {
      headers.set("Last-Event-ID", lastEventId);
    }
    if (this.#key && !url.searchParams.has("key") && !headers.has("Idempotency-Key")) {
      if (this.method === "GET" && !this.#sameOrigin) {
        // The header would cost a preflight.
        url.searchParams.set("key", this.#key);
      } else {
        headers.set("Idempotency-Key", this.#key);
      }
    }
    return { url: url.href, init: { ...this.#init, headers } };
  }

  /** @param {Opening} opening @param {Headers} headers */
  #resume({ streamId, after, snapshot, heartbeatS, trace }, headers) {
    const url = connecting(this.#run(streamId), heartbeatS, trace);
    if (snapshot) {
      url.searchParams.set("snapshot", "1");
    } else if (after > 0 && this.#sameOrigin) {
      headers.set("Last-Event-ID", eventId(streamId, after));
    } else if (after > 0) {
      // The header would cost a preflight each time.
      url.searchParams.set("after", String(after));
    }
    const { credentials, cache } = this.#init;
    return {
      url: url.href,
      init: /** @type {RequestInit} */ ({ credentials, cache, method: "GET", headers }),
    };
  }

  async #fields() {
    return new Headers(await (typeof this.#headers === "function" ? this.#headers() : this.#headers));
  }

  /** @param {string} streamId */
  #run(streamId) {
    const url = new URL(encodeURIComponent(streamId), this.#runs);
    for (const [name, value] of this.#url.searchParams) {
      if (!START_PARAMS.includes(name)) {
        url.searchParams.append(name, value);
      }
    }
    return url;
  }
}

/**
 * The folder of runs: the one given, the one that the URL of a run lies in, or `runs/` beside the URL.
 *
 * @param {URL} url
 * @param {string | undefined} runsUrl
 * @param {string | undefined} pageUrl
 */
function runsOf(url, runsUrl, pageUrl) {
  if (runsUrl !== undefined) {
    return new URL(runsUrl.endsWith("/") ? runsUrl : `${runsUrl}/`, pageUrl);
  }
  return RUN_PATH.test(url.pathname)
    ? new URL(url.pathname.replace(RUN_PATH, "/runs/"), url)
    : new URL("runs/", url);
}

/**
 * The place in a stream that the URL of a run, or the last event id of an earlier visit, names.
 *
 * @param {URL} url
 * @param {EndpointOptions} options
 */
function placeOf(url, { lastEventId = "", snapshot = false }) {
  const named = RUN_PATH.exec(url.pathname)?.[1] ?? "";
  const last = parseEventId(lastEventId);
  if (last !== null && (!named || named === last.streamId)) {
    return { streamId: last.streamId, after: last.seq, lastEventId, snapshot };
  }
  const after = named ? Number(/^\d{1,15}$/.exec(url.searchParams.get("after") ?? "")?.[0] ?? 0) : 0;
  return {
    streamId: named,
    after,
    lastEventId: named ? "" : lastEventId,
    snapshot: snapshot || hasSnapshot(url),
  };
}

/** @param {URL} url @param {number | null} heartbeatS @param {boolean | "write"} [trace] */
function connecting(url, heartbeatS, trace) {
  if (heartbeatS !== null) url.searchParams.set("heartbeat_s", String(heartbeatS));
  if (trace) url.searchParams.set("trace", trace === true ? "1" : trace);
  return url;
}

/** @param {URL} url */
function hasSnapshot(url) {
  return RUN_PATH.test(url.pathname) && url.searchParams.get("snapshot") === "1";
}
