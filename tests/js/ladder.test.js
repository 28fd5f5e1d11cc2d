import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { Ladder } from "../../sse_widget/js/transport/ladder.js";
import { permissionOf } from "../../sse_widget/js/transport/probe.js";
import { Clock } from "./log_server.js";

const NODE = "0a1b2c3d";

/**
 * A server whose answers are the test's, by path.
 *
 * @param {import("node:test").TestContext} t
 * @param {Record<string, (response: import("node:http").ServerResponse) => unknown>} answers
 */
async function serverOf(t, answers) {
  /** @type {string[]} */
  const asked = [];
  const http = createServer(({ url = "" }, response) => {
    asked.push(url);
    const answer = Object.entries(answers).find(([path]) => url.startsWith(path))?.[1];
    answer ? answer(response) : response.writeHead(404).end();
  });
  await new Promise((resolve) => http.listen(0, "127.0.0.1", () => resolve(null)));
  t.after(() => {
    http.closeAllConnections();
    http.close();
  });
  const { port } = /** @type {import("node:net").AddressInfo} */ (http.address());
  return { asked, url: `http://127.0.0.1:${port}/` };
}

/** @param {string} node @returns {(response: import("node:http").ServerResponse) => unknown} */
const ours = (node) => (response) =>
  response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ node }));

/**
 * @param {import("node:test").TestContext} t
 * @param {Partial<import("../../sse_widget/js/transport/ladder.js").Question>} question
 * @param {Partial<import("../../sse_widget/js/transport/ladder.js").Surroundings>} [around]
 */
function ladderOf(t, question, around = {}) {
  const clock = new Clock();
  const end = new AbortController();
  t.after(() => end.abort());
  const kept = new Map();
  const asked = {
    pageUrl: "http://localhost/lab",
    jupyterUrl: "",
    inJupyter: false,
    kernelUrl: "",
    colab: false,
  };
  const given = /** @type {any} */ ({ ...asked, wanted: "auto", node: NODE, ...question });
  const ladder = new Ladder(() => given, {
    network: {
      fetch: (...request) => fetch(...request),
      setTimeout: clock.setTimeout,
      clearTimeout: clock.clearTimeout,
    },
    permissions: undefined,
    secure: true,
    store: {
      getItem: (name) => kept.get(name) ?? null,
      setItem: (name, value) => void kept.set(name, value),
    },
    proxyPort: null,
    headers: (route) => ({ "X-Route": route }),
    signal: end.signal,
    ...around,
  });
  return { ladder, clock, kept, given };
}

test("the best way that works is taken", async (t) => {
  const { url } = await serverOf(t, { "/sse-widget/": ours(NODE), "/api/": ours(NODE) });
  const { ladder } = ladderOf(t, { jupyterUrl: url, inJupyter: true, kernelUrl: url });
  const { route, server, reason } = await ladder.find();
  assert.deepEqual(
    [route, server?.base.href, server?.headers(), reason],
    ["extension", `${url}sse-widget/`, { "X-Route": "extension" }, ""],
  );
  assert.equal(ladder.found?.route, "extension");
});

test("another server on the kernel's port is not taken for the kernel's", async (t) => {
  const { url } = await serverOf(t, { "/api/": ours("ffffffff"), "/proxy/": ours(NODE) });
  const { ladder } = ladderOf(t, { jupyterUrl: url, kernelUrl: url });
  assert.equal((await ladder.find()).route, "proxy");
});

test("a better way is waited for, but not for long", async (t) => {
  const held = /** @type {import("node:http").ServerResponse[]} */ ([]);
  const { url } = await serverOf(t, { "/api/": (response) => held.push(response), "/proxy/": ours(NODE) });
  const { ladder, clock } = ladderOf(t, { jupyterUrl: url, kernelUrl: url });
  const found = ladder.find();
  while ([...clock.timers.values()].every(({ atMs }) => atMs !== 250)) await new Promise(setImmediate);
  clock.advance(249);
  assert.equal(ladder.found, null);
  clock.advance(1);
  assert.equal((await found).route, "proxy");
});

test("an answer that does not come is given up", async (t) => {
  const { url, asked } = await serverOf(t, { "/api/": () => {} });
  const { ladder, clock } = ladderOf(t, { kernelUrl: url });
  const found = ladder.find();
  while (asked.length === 0) await new Promise(setImmediate);
  clock.advance(2500);
  assert.deepEqual(await found, { route: "relay", server: null, reason: "probe_timeout" });
});

test("where no way works the kernel is the way, and the reason is the one that says what to do", async (t) => {
  const { url } = await serverOf(t, { "/api/": (response) => response.destroy() });
  const { ladder } = ladderOf(t, { jupyterUrl: url, kernelUrl: url });
  assert.deepEqual(await ladder.find(), { route: "relay", server: null, reason: "proxy_missing" });
});

test("without anything to try the kernel is the way at once", async (t) => {
  assert.deepEqual(await ladderOf(t, {}).ladder.find(), {
    route: "relay",
    server: null,
    reason: "no_server",
  });
  const wanted = ladderOf(t, { wanted: "relay", kernelUrl: "http://127.0.0.1:1/" }).ladder;
  assert.deepEqual(await wanted.find(), { route: "relay", server: null, reason: "" });
});

test("the way is kept over reloads, until it fails or the server is another one", async (t) => {
  const { url, asked } = await serverOf(t, { "/api/": ours(NODE) });
  const first = ladderOf(t, { kernelUrl: url });
  assert.equal((await first.ladder.find()).route, "url");
  assert.equal(await first.ladder.find(), await first.ladder.find());
  assert.equal(asked.length, 1);
  const store = {
    getItem: (/** @type {string} */ name) => first.kept.get(name) ?? null,
    setItem: (/** @type {string} */ name, /** @type {string} */ value) => void first.kept.set(name, value),
  };
  const second = ladderOf(t, { kernelUrl: url }, { store });
  assert.equal((await second.ladder.find()).route, "url");
  assert.equal(asked.length, 1, "nothing was tried");
  second.ladder.doubt();
  assert.equal((await second.ladder.find()).route, "url");
  assert.equal(asked.length, 2);
  second.given.node = "another";
  assert.deepEqual((await second.ladder.find()).reason, "other_server");
  assert.equal(asked.length, 3);
});

test("the reader who has to answer the browser is given time", async (t) => {
  const { url, asked } = await serverOf(t, { "/api/": () => {} });
  const permissions = /** @type {any} */ ({ query: async () => ({ state: "prompt" }) });
  const question = { kernelUrl: url, pageUrl: "https://hub.example/", wanted: /** @type {const} */ ("url") };
  const { ladder, clock } = ladderOf(t, question, { permissions });
  const found = ladder.find();
  while (asked.length === 0) await new Promise(setImmediate);
  clock.advance(59_999);
  assert.equal(ladder.found, null);
  clock.advance(1);
  assert.equal((await found).route, "relay");
});

test("while the kernel is the way, a server that can be reached by now is found", async (t) => {
  let forwarded = false;
  const { url, asked } = await serverOf(t, {
    "/api/": (response) => (forwarded ? ours(NODE)(response) : response.destroy()),
  });
  const { ladder } = ladderOf(t, { kernelUrl: url });
  await ladder.retry();
  assert.equal(asked.length, 0, "nothing is known yet");
  assert.equal((await ladder.find()).route, "relay");
  await ladder.retry();
  assert.equal((await ladder.find()).route, "relay");
  forwarded = true;
  await ladder.retry();
  assert.equal((await ladder.find()).route, "url");
  const count = asked.length;
  await ladder.retry();
  assert.equal(asked.length, count);
});

test("Colab's port proxy is asked for its address", async (t) => {
  const { url } = await serverOf(t, { "/tunnel/": ours(NODE) });
  const ports = /** @type {number[]} */ ([]);
  const proxyPort = async (/** @type {number} */ port) => `${url}tunnel${ports.push(port) ? "" : "?"}`;
  const question = { colab: true, kernelUrl: "http://127.0.0.1:1/" };
  const { route, server } = await ladderOf(t, question, { proxyPort }).ladder.find();
  assert.deepEqual([route, server?.base.href, ports], ["colab", `${url}tunnel/`, [1]]);
  const refused = async () => Promise.reject(new Error("no runtime"));
  assert.equal((await ladderOf(t, question, { proxyPort: refused }).ladder.find()).route, "relay");
});

test("a login page is not followed", async (t) => {
  const { url } = await serverOf(t, {
    "/proxy/": (response) => response.writeHead(302, { Location: "/login" }).end(),
    "/login": ours(NODE),
    "/api/": (response) => response.destroy(),
  });
  const { ladder } = ladderOf(t, { jupyterUrl: url, kernelUrl: url });
  const { route } = await ladder.find();
  assert.equal(route, "relay");
});

test("the browser's permission is read under both of its names, and never asked for", async () => {
  const chrome145 = {
    query: async (/** @type {{name: string}} */ { name }) => ({
      state: name === "loopback-network" ? "granted" : "denied",
    }),
  };
  assert.equal(await permissionOf(/** @type {any} */ (chrome145), true), "granted");
  const chrome142 = {
    query: async (/** @type {{name: string}} */ { name }) => {
      if (name === "loopback-network") throw new TypeError("not a valid name");
      return { state: "prompt" };
    },
  };
  assert.equal(await permissionOf(/** @type {any} */ (chrome142), true), "prompt");
  assert.equal(await permissionOf(/** @type {any} */ (chrome142), false), "barred");
  const firefox = { query: async () => Promise.reject(new TypeError("not a valid name")) };
  assert.equal(await permissionOf(/** @type {any} */ (firefox), true), "unknown");
  assert.equal(await permissionOf(undefined, true), "unknown");
});
