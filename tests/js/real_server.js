/** The real sse_server in a process of its own, and a TCP proxy before it that cuts, delays and changes what passes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import { openStream } from "../../sse_widget/js/open.js";
import { newShared } from "../../sse_widget/js/transport/shared.js";
import { toldBy } from "./told.js";

/** @typedef {import("node:test").TestContext} TestContext */
/** @typedef {import("node:net").Socket} Socket */
/** @typedef {import("../../sse_widget/js/open.js").StreamOptions} StreamOptions */
/** @typedef {(data: Buffer) => Buffer} Change */

/** @type {import("../../sse_widget/js/protocol/ways.js").Way[]} */
export const WAYS = ["sse", "websocket", "poll"];
const LISTENS = /listens on (http:\/\/\S+)/;

/**
 * Starts a server, which ends with the test or the file.
 *
 * @param {{after: (end: () => Promise<void>) => void}} t
 * @param {...string} flags
 * @returns {Promise<RealServer>}
 */
export async function startServer(t, ...flags) {
  const child = spawn(
    "python",
    ["-m", "sse_server", "--port=0", "--rate-limit=off", "--model=synthetic:", ...flags],
    {
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  t.after(async () => {
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  for await (const line of createInterface(child.stdout)) {
    const url = LISTENS.exec(line)?.[1];
    if (url) return new RealServer(url);
  }
  throw new Error("the server did not start");
}

export class RealServer {
  /** @param {string} url */
  constructor(url) {
    this.url = url;
  }

  get chatUrl() {
    return `${this.url}/api/v1/stream/chat`;
  }

  async health() {
    return (await fetch(`${this.url}/api/v1/stream/health`)).json();
  }

  /** What a model says, read straight from the server. @param {object} body */
  async golden(body) {
    const response = await fetch(this.chatUrl, { method: "POST", body: JSON.stringify(body) });
    const rows = (await response.text()).split("\n").filter((row) => row.startsWith('data: {"text"'));
    return rows.map((row) => JSON.parse(row.slice(6)).text).join("");
  }
}

/** Passes TCP on. */
export class CuttingProxy {
  /** After how many bytes of the server the next connections are cut; one a connection. @type {number[]} */
  cuts = [];
  /** What becomes of the server's bytes. @type {Change} */
  change = (data) => data;
  /** Whether a request's head is passed on, refused with these bytes, or left without an answer by `null`. @type {(head: string) => string | null | undefined} */
  answer = () => undefined;
  /** Heads of the requests that opened connections. @type {string[]} */
  heads = [];
  /** How many of the server's writes pass before the rest is held back, until the server closes. @type {(head: string) => number} */
  passes = () => Number.POSITIVE_INFINITY;
  /** @type {Set<Socket>} */
  #open = new Set();
  /** @type {(() => void)[]} */
  #curious = [];
  url = "";

  /** @param {TestContext} t @param {string} upstream */
  static async start(t, upstream) {
    const proxy = new CuttingProxy();
    const { hostname, port } = new URL(upstream);
    const server = createServer((client) => proxy.#serve(client, connect(Number(port), hostname)));
    await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
    const address = /** @type {import("node:net").AddressInfo} */ (server.address());
    proxy.url = `http://127.0.0.1:${address.port}`;
    t.after(() => {
      proxy.cutAll();
      server.close();
    });
    return proxy;
  }

  get chatUrl() {
    return `${this.url}/api/v1/stream/chat`;
  }

  /** Cuts every connection, as a broken network does. */
  cutAll() {
    for (const socket of this.#open) socket.destroy();
  }

  /** @param {Socket} client @param {Socket} server */
  #serve(client, server) {
    for (const socket of [client, server]) {
      this.#open.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#open.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    client.once("data", (data) => {
      const head = data.toString("latin1");
      this.heads.push(head);
      for (const resolve of this.#curious.splice(0)) resolve();
      const answer = this.answer(head);
      if (answer !== undefined) {
        if (answer !== null) client.end(answer);
        return;
      }
      server.write(data);
      client.pipe(server);
      this.#pass(server, client, this.passes(head));
    });
  }

  /** @param {Socket} server @param {Socket} client @param {number} passes */
  #pass(server, client, passes) {
    let left = this.cuts.shift() ?? Number.POSITIVE_INFINITY;
    let writes = 0;
    /** @type {Buffer[]} */
    const held = [];
    server.on("data", (data) => {
      const part = this.change(data).subarray(0, left);
      left -= part.length;
      writes += 1;
      writes > passes ? held.push(part) : client.write(part);
      if (left <= 0) client.end(() => client.destroy());
    });
    server.on("end", () => client.end(Buffer.concat(held)));
  }

  /** Resolves when a request has opened a connection. @param {RegExp} like */
  async asked(like) {
    while (!this.heads.some((head) => like.test(head))) {
      await new Promise((resolve) => this.#curious.push(() => resolve(null)));
    }
  }
}

/** A clock that runs ten times as fast: waits are short, and nothing else changes. */
export const FAST = {
  now: () => 10 * performance.now(),
  setTimeout: (/** @type {() => void} */ call, /** @type {number} */ ms) => setTimeout(call, ms / 10),
};

/**
 * A consumer on one way or on all, and what it was told. Its page is its own.
 *
 * @param {string} url
 * @param {StreamOptions} options
 */
export function follow(url, options) {
  return toldBy(
    openStream(url, {
      reconnectDelay: 0,
      random: () => 0,
      maxReconnectAttempts: 1000,
      shared: newShared(),
      locks: null,
      ...options,
    }),
  );
}
