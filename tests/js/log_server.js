/** A real HTTP server with the log of one run: it starts the run once per key, resumes by seq, and stops it. */
import { createServer } from "node:http";
import { crc32 } from "node:zlib";

/** @typedef {import("node:http").IncomingMessage} Incoming */
/** @typedef {import("node:http").ServerResponse} Outgoing */
/** @typedef {{method: string, url: URL, headers: import("node:http").IncomingHttpHeaders & Record<string, any>, body: string}} Visit */
/** @typedef {(response: Outgoing, visit: Visit, server: LogServer) => unknown} Answer */

export const STREAM = "0123456789abcdef".repeat(2);
export const NODE = "0a1b2c3d";
export const PIECES = ["Hello, ", "مرحبا ", "你好，", "👩‍👩‍👧‍👦 ", "é!\n", "end"];
export const TEXT = PIECES.join("");
export const EVENT_STREAM = {
  "Content-Type": "text/event-stream; charset=utf-8",
  "Cache-Control": "no-cache",
};

/** @param {string} event @param {unknown} data @param {string} [id] */
export const encode = (event, data, id) =>
  `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;

/** @param {string} text @param {string} [reason] */
export const done = (text, reason = "stop") => ({
  reason,
  tokens: 1,
  chars: [...text].length,
  crc32: crc32(text),
});

/** Serves one run at `chatUrl`; answers in `script` come first, one a request. */
export class LogServer {
  /** @type {string[]} */
  log = [];
  text = "";
  over = false;
  /** @type {Visit[]} */
  visits = [];
  /** @type {Answer[]} */
  script = [];
  /** How often a run was started. */
  starts = 0;
  helloFields = {};
  /** @type {Set<string>} */
  #keys = new Set();
  /** @type {Set<Outgoing>} */
  #readers = new Set();
  #origin = "";

  /** @param {import("node:test").TestContext} t */
  static async start(t) {
    const server = new LogServer();
    const http = createServer((request, response) => server.#visit(request, response));
    await new Promise((resolve) => http.listen(0, "127.0.0.1", () => resolve(null)));
    t.after(() => {
      http.closeAllConnections();
      http.close();
    });
    const { port } = /** @type {import("node:net").AddressInfo} */ (http.address());
    server.#origin = `http://127.0.0.1:${port}`;
    return server;
  }

  get chatUrl() {
    return `${this.#origin}/api/v1/stream/chat`;
  }

  /** A path that says nothing of sse-widget; what it answers is in the script. */
  get foreignUrl() {
    return `${this.#origin}/events`;
  }

  get runUrl() {
    return `${this.#origin}/api/v1/stream/runs/${STREAM}`;
  }

  /** Fills the log with a whole answer. */
  fill(pieces = PIECES) {
    this.append("start", { status: "started" });
    for (const text of pieces) this.append("delta", { text });
    this.end();
    return this;
  }

  /** @param {string} event @param {any} data */
  append(event, data) {
    this.text += event === "delta" ? data.text : "";
    const wire = encode(event, data, `${STREAM}:${this.log.length + 1}`);
    this.log.push(wire);
    for (const reader of this.#readers) reader.write(wire);
  }

  end(reason = "stop") {
    this.append("done", done(this.text, reason));
    this.over = true;
    for (const reader of this.#readers) reader.end();
  }

  /** Cuts every reader off, as a broken network does. */
  cut() {
    for (const reader of this.#readers) reader.destroy();
  }

  /** @param {string} bytes to everyone who reads, outside the log */
  say(bytes) {
    for (const reader of this.#readers) reader.write(bytes);
  }

  /** @param {number} after */
  hello(after) {
    const fields = {
      stream_id: STREAM,
      after,
      resumed: after > 0,
      gap: false,
      heartbeat_s: 20,
      ...this.helloFields,
    };
    return encode("hello", fields, `${STREAM}:${after}`);
  }

  /** The bytes of a whole response, head and chunked framing included. @param {number} after */
  recording(after) {
    const head = `HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Stream-Id: ${STREAM}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n`;
    const chunks = [this.hello(after), ...this.log.slice(after)].map(
      (wire) => `${Buffer.byteLength(wire).toString(16)}\r\n${wire}\r\n`,
    );
    return Buffer.from(`${head}${chunks.join("")}0\r\n\r\n`);
  }

  /** Where a request wants to go on from. @param {Visit} visit */
  after({ url, headers }) {
    const id = headers["last-event-id"] ?? `:${url.searchParams.get("after") ?? 0}`;
    return Number(id.split(":")[1]);
  }

  /** Takes note of a start, as a server with idempotency keys does. @param {Visit} visit */
  count({ method, url, headers }) {
    const key = headers["idempotency-key"] ?? url.searchParams.get("key") ?? "";
    if (url.pathname.endsWith("/chat") && method !== "DELETE" && !(key && this.#keys.has(key))) {
      this.#keys.add(key);
      this.starts += 1;
    }
  }

  /** Says which server this is. @param {Outgoing} response */
  health(response) {
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ node: NODE }));
  }

  /** @param {Outgoing} response @param {Visit} visit */
  answer(response, visit) {
    if (visit.method === "DELETE") {
      if (!this.over) this.end("stopped");
      response.writeHead(204).end();
      return;
    }
    const after = this.after(visit);
    response.writeHead(200, { ...EVENT_STREAM, "X-Stream-Id": STREAM });
    response.write(this.hello(after) + this.log.slice(after).join(""));
    if (this.over) {
      response.end();
    } else {
      this.#readers.add(response);
      response.on("close", () => this.#readers.delete(response));
    }
  }

  /** @param {Incoming} request @param {Outgoing} response */
  async #visit(request, response) {
    let body = "";
    for await (const part of request.setEncoding("utf8")) body += part;
    const { method = "", headers } = request;
    const visit = { method, headers, body, url: new URL(request.url ?? "", this.#origin) };
    if (visit.url.pathname.endsWith("/health")) return void this.health(response);
    this.visits.push(visit);
    this.count(visit);
    const answer = this.script.shift();
    answer ? answer(response, visit, this) : this.answer(response, visit);
  }
}

/**
 * An answer that breaks off at a byte of the recorded response.
 *
 * @param {number} at
 * @returns {Answer}
 */
export const cutAt = (at) => (response, visit, server) => {
  const { socket } = response;
  socket?.write(server.recording(server.after(visit)).subarray(0, at), () => socket.destroy());
};

/**
 * @param {number} status
 * @param {Record<string, string>} [headers]
 * @param {string} [body]
 * @returns {Answer}
 */
export const refuse = (status, headers, body) => (response) => response.writeHead(status, headers).end(body);

/** A clock that moves only when told to. */
export class Clock {
  #nowMs = 0;
  /** @type {Map<number, {atMs: number, call: () => void}>} */
  timers = new Map();
  armed = 0;
  /** @type {(() => void)[]} */
  #curious = [];

  now = () => {
    for (const resolve of this.#curious.splice(0)) resolve();
    return this.#nowMs;
  };

  /** @param {() => void} call @param {number} ms */
  setTimeout = (call, ms) => {
    this.armed += 1;
    this.timers.set(this.armed, { atMs: this.#nowMs + ms, call });
    return this.armed;
  };

  /** @param {number} id */
  clearTimeout = (id) => {
    this.timers.delete(id);
  };

  /** Resolves when someone looks at the clock. */
  looked() {
    return new Promise((resolve) => this.#curious.push(() => resolve(null)));
  }

  /** Time passes, and each timer comes when it is due. @param {number} ms */
  advance(ms) {
    const untilMs = this.#nowMs + ms;
    for (let next = this.#next(untilMs); next; next = this.#next(untilMs)) {
      const [id, { atMs, call }] = next;
      this.#nowMs = Math.max(this.#nowMs, atMs);
      this.timers.delete(id);
      call();
    }
    this.#nowMs = untilMs;
  }

  /** Nothing runs for a while, and what was due meanwhile comes late, once. @param {number} ms */
  freeze(ms) {
    this.#nowMs += ms;
    for (const [id, { atMs, call }] of [...this.timers]) {
      if (atMs <= this.#nowMs && this.timers.delete(id)) call();
    }
  }

  /** @param {number} untilMs */
  #next(untilMs) {
    const due = [...this.timers].filter(([, { atMs }]) => atMs <= untilMs);
    return due.sort(([, one], [, other]) => one.atMs - other.atMs)[0];
  }
}
