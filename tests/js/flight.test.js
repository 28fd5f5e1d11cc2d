import assert from "node:assert/strict";
import { test } from "node:test";
import { openStream } from "../../sse_widget/js/open.js";
import { Reading } from "../../sse_widget/js/reading.js";
import { Recorder } from "../../sse_widget/js/recorder.js";
import { platformOf } from "../../sse_widget/js/transport/platform.js";
import { newShared } from "../../sse_widget/js/transport/shared.js";
import { CuttingProxy, startServer, WAYS } from "./real_server.js";

/** @typedef {import("./real_server.js").RealServer} RealServer */
/** @typedef {import("../../sse_widget/js/open.js").StreamOptions} StreamOptions */

const MODEL = "synthetic:tokens=30,rate=60";

/**
 * A reading that is recorded, and a view that shows all that comes at once, on a screen that shows it 16 ms later.
 *
 * @param {import("node:test").TestContext} t
 * @param {RealServer} server
 * @param {StreamOptions & {wanted?: boolean}} [options]
 */
function recorded(t, server, { wanted = true, ...options } = {}) {
  const end = new AbortController();
  t.after(() => end.abort());
  const { signal } = end;
  const reading = new Reading();
  const page = new EventTarget();
  const now = () => performance.now();
  const platform = platformOf(/** @type {any} */ (options));
  new Recorder(
    reading,
    { show: (_, call) => void setTimeout(() => call(now()), 16) },
    { wanted: () => wanted, platform, page, signal },
  );
  reading.listen({ text: () => reading.show(reading.text.length, { atMs: now(), framed: true }) }, signal);
  /** @param {Record<string, unknown>} [body] */
  const ask = (body = {}) => {
    reading.ask("hi");
    return follow(body);
  };
  /** Somebody has asked. @param {Record<string, unknown>} [body] */
  const follow = async (body = {}) => {
    await reading.follow("hi", (place) =>
      openStream(server.chatUrl, {
        body: { q: "hi", model: MODEL, ...body },
        reconnectDelay: 0,
        shared: newShared(),
        ...options,
        ...place,
      }),
    );
    return reading.streamId;
  };
  return { reading, page, ask, follow };
}

/** What the server was told of a run. @param {RealServer} server @param {string} streamId @param {number} [waitS] */
async function told(server, streamId, waitS = 5) {
  const url = `${server.url}/api/v1/stream/runs/${streamId}/spans?wait_s=${waitS}`;
  return (await (await fetch(url)).json()).readers;
}

/** @param {(string | number | null)[][]} rows @param {string} kind */
const of = (rows, kind) => rows.filter((row) => row[0] === kind);

for (const way of WAYS) {
  test(`${way}: the server is told of every delta, in order, and on its own clock`, async (t) => {
    const server = await startServer(t);
    const { ask, reading } = recorded(t, server, { transport: way });
    const streamId = await ask();
    const [reader, ...others] = await told(server, streamId);
    assert.deepEqual([reading.standing.state, others.length, reader.over], ["done", 0, true]);
    const deltas = of(reader.rows, "delta");
    const seqs = deltas.map(([, seq]) => seq);
    assert.ok(seqs.length >= 5 && seqs.every((seq, at) => seq === Number(seqs[0]) + at), String(seqs));
    for (const [, , connection, attempt, writeNs, ...times] of deltas) {
      assert.deepEqual([connection, attempt], [1, 0]);
      const stages = [(Number(writeNs) - reader.offset_ns) / 1e6, ...times.map(Number)];
      const errorMs = reader.error_ns / 1e6;
      for (const [at, ms] of stages.entries())
        assert.ok(at === 0 || ms >= Number(stages[at - 1]) - errorMs, `${stages} ± ${errorMs}`);
      assert.ok(reader.asked <= Number(stages[0]) + errorMs);
    }
    const states = of(reader.rows, "state").map((row) => row[4]);
    assert.deepEqual([states[0], states.at(-2), states.at(-1)], ["connecting", "open", "done"]);
  });
}

test("who does not record asks for no times, and tells nothing", async (t) => {
  const server = await startServer(t);
  const { ask, reading } = recorded(t, server, { wanted: false });
  const names = new Set();
  reading.listen({ event: ({ event }) => void names.add(event) }, new AbortController().signal);
  const streamId = await ask();
  assert.equal(names.has("timing"), false);
  assert.deepEqual(await told(server, streamId, 0), []);
});

test("a run that was cut is told with its connections and attempts", async (t) => {
  const server = await startServer(t);
  const proxy = await CuttingProxy.start(t, server.url);
  proxy.cuts.push(1500);
  const { ask } = recorded(t, /** @type {any} */ (proxy), {
    transport: "sse",
  });
  const streamId = await ask();
  const [{ rows }] = await told(server, streamId);
  const connections = of(rows, "delta").map((row) => [row[2], row[3]].join());
  assert.deepEqual([...new Set(connections)], ["1,0", "2,1"]);
  assert.ok(of(rows, "state").some(([, , , , state, reason]) => state === "waiting" && reason === "cut"));
});

test("the time of a question that was refused is not that of an equal one of somebody else", async (t) => {
  const server = await startServer(t);
  const { ask, follow, reading } = recorded(t, server);
  await ask({ model: "none" });
  assert.equal(reading.standing.state, "error");
  const [{ asked }] = await told(server, await follow());
  assert.equal(asked, null);
});

test("the end of the run before leaves the time of the next question", async (t) => {
  const server = await startServer(t);
  const { follow, reading } = recorded(t, server);
  reading.ask("hi");
  reading.begin("hi");
  const atMs = performance.now();
  reading.ask("hi");
  reading.settle("", "stopped");
  const [{ asked }] = await told(server, await follow());
  assert.ok(asked >= atMs - 0.001, `${asked} ms, ${atMs} ms`);
});

test("a page that leaves says what it knows in one request that outlives it", async (t) => {
  const server = await startServer(t);
  /** @type {RequestInit[]} */
  const posts = [];
  const { ask, page, reading } = recorded(t, server, {
    fetch: (/** @type {any} */ url, /** @type {any} */ init) => {
      if (String(url).endsWith("/spans")) posts.push(init);
      return fetch(url, init);
    },
  });
  const asking = ask({ model: "synthetic:tokens=80,rate=40" });
  /** @type {PromiseWithResolvers<void>} */
  const midway = Promise.withResolvers();
  const text = () => void (reading.text.length > 100 && midway.resolve());
  reading.listen({ text }, new AbortController().signal);
  await midway.promise;
  page.dispatchEvent(new Event("pagehide"));
  const streamId = await asking;
  const [{ over, rows }] = await told(server, streamId);
  assert.equal(over, true);
  assert.ok(of(rows, "delta").length >= 1);
  assert.equal(posts.at(-1)?.keepalive, true);
  assert.equal(posts.filter(({ keepalive }) => keepalive).length, 1);
});

test("rows that were refused for a while come later", async (t) => {
  const server = await startServer(t);
  const statuses = [503, 503];
  /** @type {PromiseWithResolvers<void>} */
  const last = Promise.withResolvers();
  const failing = async (/** @type {any} */ url, /** @type {any} */ init) => {
    if (!String(url).endsWith("/spans")) return fetch(url, init);
    const status = statuses.shift();
    if (status) return new Response("", { status });
    const response = await fetch(url, init);
    if (JSON.parse(init.body).over) last.resolve();
    return response;
  };
  const streamId = await recorded(t, server, { fetch: failing }).ask();
  await last.promise;
  const [{ over, rows }] = await told(server, streamId);
  assert.equal(over, true);
  assert.ok(of(rows, "delta").length >= 5);
});

test("a server that knows no rows is asked once, and never for its time", async (t) => {
  const server = await startServer(t);
  /** @type {string[]} */
  const asked = [];
  const old = (/** @type {any} */ url, /** @type {any} */ init) => {
    if (!/\/(spans|clock)$/.test(String(url))) return fetch(url, init);
    asked.push(String(url).split("/").at(-1) ?? "");
    return Promise.resolve(new Response("", { status: 404 }));
  };
  const { ask, reading } = recorded(t, server, { fetch: old, transport: "sse" });
  const asking = ask();
  await new Promise((resolve) => reading.listen({ text: resolve }, new AbortController().signal));
  reading.cut(); // The next connection does not try again.
  await asking;
  assert.deepEqual([reading.standing.state, asked], ["done", ["spans"]]);
});
