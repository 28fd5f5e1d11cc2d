/** openStream with the real server, behind proxies that hold back, refuse and block. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { AVOID_MS } from "../../sse_widget/js/transport/memory.js";
import { newShared } from "../../sse_widget/js/transport/shared.js";
import { Clock, LogServer, refuse } from "./log_server.js";
import { CuttingProxy, follow, startServer } from "./real_server.js";

/** @typedef {import("node:test").TestContext} TestContext */

const ASK = { q: "?", model: "synthetic:tokens=40,rate=0,lang=mixed,seed=3", chunk_tokens: 1 };
const LASTING = { q: "?", model: "synthetic:tokens=100000,rate=50,lang=en" };
const EVENTS = /accept: text\/event-stream/i;
const UPGRADE = /upgrade: websocket/i;
const PAGE =
  "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\n<h1>no</h1>".slice(0, -2);

const server = await startServer({ after });

/** @param {string} head */
const streams = (head) => EVENTS.test(head);

/** @param {TestContext} t */
async function scene(t) {
  const text = await server.golden(ASK);
  const proxy = await CuttingProxy.start(t, server.url);
  const { runs_started: before } = await server.health();
  const whole = async (/** @type {ReturnType<typeof follow>} */ told, questions = 1) => {
    assert.equal(told.text, text);
    assert.deepEqual(
      told.ids.map((id) => Number(id.split(":")[1])),
      told.ids.map((_, index) => index + 2),
    );
    assert.equal((await server.health()).runs_started, before + questions);
  };
  return { proxy, whole, before };
}

test("nothing in the way: server-sent events", async (t) => {
  const { proxy, whole } = await scene(t);
  const told = follow(proxy.chatUrl, { body: ASK });
  assert.equal(await told.consumer.connect(), "done");
  await whole(told);
  assert.deepEqual([told.ways, told.consumer.transport], [[], "sse"]);
});

for (const [name, passes] of /** @type {const} */ ([
  ["from the head on", 0],
  ["after the head and hello", 1],
])) {
  test(`bytes that are held back ${name} come over the WebSocket`, async (t) => {
    const { proxy, whole } = await scene(t);
    const clock = new Clock();
    proxy.passes = (head) => (streams(head) ? passes : Number.POSITIVE_INFINITY);
    const body = { ...ASK, model: `${ASK.model},ttft_ms=300` };
    const told = follow(proxy.chatUrl, { body, ...clock, heartbeatS: 1 });
    const greeted = told.hears("hello");
    const outcome = told.consumer.connect();
    await proxy.asked(EVENTS);
    if (passes) {
      await greeted;
      const again = told.hears("hello");
      clock.advance(3500);
      assert.equal(told.consumer.state, "waiting", "it may be a dead connection");
      clock.advance(300);
      await again;
      clock.advance(3500);
    } else {
      clock.advance(3000);
    }
    assert.equal(await outcome, "done");
    await whole(told);
    assert.deepEqual(told.ways, [["websocket", "held_back"]]);
  });
}

for (const [ranMs, frozenMs] of /** @type {const} */ ([
  [0, 2000],
  [1000, 2000],
  [1000, 2300],
  [2900, 400],
])) {
  test(`a page that is frozen for ${frozenMs} ms, ${ranMs} ms after it asked, takes nothing for held back`, async (t) => {
    const { proxy, whole } = await scene(t);
    const clock = new Clock();
    const told = follow(proxy.chatUrl, { body: ASK, ...clock });
    const outcome = told.consumer.connect();
    await proxy.asked(EVENTS);
    clock.advance(ranMs);
    clock.freeze(frozenMs);
    assert.equal(await outcome, "done");
    await whole(told);
    assert.deepEqual([told.ways, told.consumer.transport], [[], "sse"]);
  });
}

for (const [name, answer] of /** @type {const} */ ([
  ["a page that forbids", PAGE],
  ["a bad gateway", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"],
  ["no such method", "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n"],
  ["another type", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nlogin"],
])) {
  test(`server-sent events that are refused by ${name} come over the WebSocket`, async (t) => {
    const { proxy, whole } = await scene(t);
    proxy.answer = (head) => (streams(head) ? answer : undefined);
    const told = follow(proxy.chatUrl, { body: ASK });
    assert.equal(await told.consumer.connect(), "done");
    await whole(told);
    assert.deepEqual(told.ways, [["websocket", "refused"]]);
  });
}

test("what our own server refuses is final", async (t) => {
  const { proxy } = await scene(t);
  const told = follow(proxy.chatUrl, { body: { q: "" } });
  assert.equal(await told.consumer.connect(), "error");
  assert.deepEqual([told.consumer.error?.code, told.ways, proxy.heads.length], ["question_required", [], 1]);
});

for (const [name, said] of /** @type {const} */ ([
  ["refused", PAGE],
  ["left without an answer", null],
])) {
  test(`a WebSocket whose handshake is ${name}: long-polling`, async (t) => {
    const { proxy, whole } = await scene(t);
    const clock = new Clock();
    proxy.answer = (head) => (streams(head) ? PAGE : UPGRADE.test(head) ? said : undefined);
    const told = follow(proxy.chatUrl, { body: ASK, ...clock });
    const outcome = told.consumer.connect();
    await proxy.asked(UPGRADE);
    clock.advance(4000);
    assert.equal(await outcome, "done");
    await whole(told);
    assert.deepEqual(told.ways, [
      ["websocket", "refused"],
      ["poll", "refused"],
    ]);
  });
}

test("a WebSocket that opens and passes nothing: long-polling", async (t) => {
  const { proxy, whole, before } = await scene(t);
  const clock = new Clock();
  proxy.answer = (head) => (streams(head) ? PAGE : undefined);
  proxy.passes = (head) => (UPGRADE.test(head) ? 1 : Number.POSITIVE_INFINITY);
  const told = follow(proxy.chatUrl, { body: ASK, ...clock });
  const outcome = told.consumer.connect();
  await proxy.asked(UPGRADE);
  // Its question has reached the server before it is given up.
  while ((await server.health()).runs_started === before);
  clock.advance(4000);
  assert.equal(await outcome, "done");
  await whole(told);
  assert.equal(told.consumer.transport, "poll");
});

test("a browser without streaming, and without WebSockets", async (t) => {
  const { proxy, whole } = await scene(t);
  /** @type {typeof fetch} */
  const unstreamed = async (...request) =>
    Object.defineProperty(await fetch(...request), "body", { value: undefined });
  const told = follow(proxy.chatUrl, { body: ASK, fetch: unstreamed });
  assert.equal(await told.consumer.connect(), "done");
  assert.deepEqual(told.ways, [["websocket", "no_streaming"]]);
  const bare = follow(proxy.chatUrl, { body: ASK, fetch: unstreamed, WebSocket: null });
  assert.equal(await bare.consumer.connect(), "done");
  await whole(bare, 2);
  assert.deepEqual(bare.ways.at(-1), ["poll", "no_streaming"]);
});

test("what works is remembered for the page and its reloads, and the best way is tried again later", async (t) => {
  const { proxy, whole } = await scene(t);
  proxy.answer = (head) => (streams(head) ? PAGE : undefined);
  let wallMs = 1_000_000;
  /** @type {Map<string, string>} */
  const kept = new Map();
  const store = {
    getItem: (/** @type {string} */ name) => kept.get(name) ?? null,
    setItem: (/** @type {string} */ name, /** @type {string} */ value) => kept.set(name, value),
  };
  const options = { body: ASK, store, wall: () => wallMs };
  const requests = () => proxy.heads.splice(0).map((head) => (streams(head) ? "sse" : "websocket"));
  const first = follow(proxy.chatUrl, options);
  assert.equal(await first.consumer.connect(), "done");
  assert.deepEqual(requests(), ["sse", "websocket"]);
  const reloaded = follow(proxy.chatUrl, options);
  assert.equal(await reloaded.consumer.connect(), "done");
  assert.deepEqual([requests(), reloaded.ways], [["websocket"], [["websocket", "refused"]]]);
  proxy.answer = () => undefined;
  wallMs += AVOID_MS;
  const later = follow(proxy.chatUrl, options);
  assert.equal(await later.consumer.connect(), "done");
  assert.deepEqual([requests(), later.ways], [["sse"], []]);
  await whole(later, 3);
});

test("when nothing works no way is to blame, and all are tried again", async (t) => {
  const { proxy, whole } = await scene(t);
  let down = true;
  proxy.answer = () => (down ? "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n" : undefined);
  const told = follow(proxy.chatUrl, { body: ASK });
  told.consumer.onState((state) => {
    down &&= state !== "waiting";
  });
  assert.equal(await told.consumer.connect(), "done");
  await whole(told);
  assert.deepEqual(
    told.ways.map(([way]) => way),
    ["websocket", "poll", "sse"],
  );
});

test("four streams of a page hold a connection each; further ones share the WebSocket", async () => {
  const shared = newShared();
  const told = [];
  const outcomes = [];
  for (let number = 0; number < 7; number++) {
    told.push(follow(server.chatUrl, { body: LASTING, shared }));
    const heard = told[number]?.hears("delta");
    outcomes.push(told[number]?.consumer.connect());
    await heard;
  }
  assert.deepEqual(
    told.map(({ consumer }) => consumer.transport),
    ["sse", "sse", "sse", "sse", "websocket", "websocket", "websocket"],
  );
  assert.deepEqual(told[6]?.ways, [["websocket", "slots_taken"]]);
  assert.equal((await server.health()).sockets, 1);
  const frame = { ...newShared(), locks: shared.locks };
  const unlucky = Array.from({ length: 3 }, () =>
    follow(server.chatUrl, { body: LASTING, shared: frame, WebSocket: null }),
  );
  const heard = unlucky.map(({ hears }) => hears("delta"));
  for (const { consumer } of unlucky) outcomes.push(consumer.connect());
  await Promise.all(heard);
  assert.deepEqual(
    unlucky.map(({ consumer }) => consumer.transport),
    ["poll", "poll", "poll"],
  );
  for (const { consumer } of unlucky) assert.equal(await consumer.stop(), true);
  await Promise.all(outcomes.slice(7));
  const [first] = told;
  assert.equal(await first?.consumer.stop(), true);
  assert.equal(await outcomes[0], "stopped");
  const next = follow(server.chatUrl, { body: ASK, shared });
  assert.equal(await next.consumer.connect(), "done");
  assert.equal(next.consumer.transport, "sse", "a slot is free again");
  for (const { consumer } of told) assert.equal(await consumer.stop(), true);
  assert.deepEqual(new Set(await Promise.all(outcomes)), new Set(["stopped"]));
});

test("a server that is not ours is never left for another way", async (t) => {
  const server = await LogServer.start(t);
  server.script = [refuse(403, { "Content-Type": "text/html" }, "<h1>no</h1>")];
  const told = follow(server.foreignUrl, { body: ASK });
  assert.equal(await told.consumer.connect(), "error");
  assert.deepEqual([told.ways, server.visits.length], [[], 1]);
});

test("leaving while a way is chosen or left opens nothing", async (t) => {
  const { proxy, before } = await scene(t);
  const told = follow(proxy.chatUrl, { body: ASK });
  const outcome = told.consumer.connect();
  told.consumer.disconnect();
  assert.equal(await outcome, "closed");
  proxy.answer = (head) => (streams(head) ? PAGE : undefined);
  const second = follow(proxy.chatUrl, { body: ASK });
  second.consumer.onTransport(() => second.consumer.disconnect());
  assert.equal(await second.consumer.connect(), "closed");
  assert.equal((await server.health()).runs_started, before);
  assert.equal(proxy.heads.length, 1);
});
