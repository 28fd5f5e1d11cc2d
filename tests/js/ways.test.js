import assert from "node:assert/strict";
import { test } from "node:test";
import { headOf } from "../../sse_widget/js/protocol/actions.js";
import { Patience, TICK_MS } from "../../sse_widget/js/protocol/patience.js";
import { HELD_BACK_MS, HELLO_MS, Watch } from "../../sse_widget/js/protocol/watch.js";
import { isForeign } from "../../sse_widget/js/protocol/ways.js";
import { openingCall, orderCall } from "../../sse_widget/js/transport/call.js";
import { Endpoint } from "../../sse_widget/js/transport/endpoint.js";
import { PageLocks } from "../../sse_widget/js/transport/locks.js";
import { AVOID_MS, Memory } from "../../sse_widget/js/transport/memory.js";
import { newShared } from "../../sse_widget/js/transport/shared.js";
import { Slots } from "../../sse_widget/js/transport/slots.js";
import { ANSWER_MS, IDLE_MS, SharedSocket, socketTo } from "../../sse_widget/js/transport/socket.js";
import { Clock, STREAM } from "./log_server.js";

const hello = (after = 0, heartbeatS = 20) => ({
  event: "hello",
  data: JSON.stringify({ after, heartbeat_s: heartbeatS }),
  id: "",
});
const delta = { event: "delta", data: "{}", id: "" };

test("hello in time, then a beat and a half, and the network's time", () => {
  const watch = new Watch(1000);
  assert.equal(watch.deadlineMs, 1000 + TICK_MS);
  assert.equal(watch.tick(1000 + TICK_MS), "");
  assert.equal(watch.read([hello()], 1400), "");
  assert.equal(watch.deadlineMs, 1400 + 31_000);
  watch.bytes(5000);
  assert.equal(watch.tick(35_999), "");
  assert.equal(watch.tick(36_000), "", "what came while nobody could read it is read first");
  assert.equal(watch.tick(37_000), "silent");
});

/**
 * Looks at the time whenever it is asked to, until a time.
 *
 * @param {Watch} watch
 * @param {number} untilMs
 */
function look(watch, untilMs) {
  let verdict = "";
  while (!verdict && watch.deadlineMs <= untilMs) verdict = watch.tick(watch.deadlineMs);
  return verdict;
}

/** A page that ran all the time. @param {number} nowMs */
function awake(nowMs) {
  const watch = new Watch(0);
  look(watch, nowMs);
  return watch;
}

test("no hello, whatever else comes, is held back", () => {
  const watch = new Watch(0);
  watch.bytes(2000);
  assert.equal(watch.read([delta, { event: "hello", data: "[]", id: "" }], 2000), "");
  assert.equal(look(watch, HELLO_MS - 1), "");
  assert.equal(look(watch, HELLO_MS), "held_back");
});

test("hello of a new run that waited for a buffer to fill is held back; a replayed one, or a slow one alone, is not", () => {
  const batch = [hello(), delta, delta, delta];
  assert.equal(awake(HELD_BACK_MS).read(batch, HELD_BACK_MS), "held_back");
  assert.equal(awake(HELD_BACK_MS - 1).read(batch, HELD_BACK_MS - 1), "");
  assert.equal(awake(HELD_BACK_MS).read([hello(), delta, delta], HELD_BACK_MS), "");
  assert.equal(awake(HELD_BACK_MS).read([hello(7), delta, delta, delta], HELD_BACK_MS), "");
});

test("a page that was busy or asleep reads first what has come meanwhile, which was not late", () => {
  const batch = [hello(), delta, delta, delta];
  for (const [fromMs, untilMs] of /** @type {const} */ ([
    [0, 2000],
    [500, 2500],
    [1000, HELLO_MS - 1],
    [1000, HELLO_MS + 100],
    [900, 60_000],
  ])) {
    const first = awake(fromMs);
    assert.equal(first.read(batch, untilMs), "", `the bytes come first, busy from ${fromMs} to ${untilMs}`);
    const timer = awake(fromMs);
    assert.equal(timer.tick(untilMs), "", `the timer comes first, busy from ${fromMs} to ${untilMs}`);
    assert.equal(timer.read(batch, untilMs + 5), "");
  }
  const last = awake(HELLO_MS - 1);
  assert.equal(last.tick(HELLO_MS + 400), "", "busy at the very end");
  assert.equal(last.tick(HELLO_MS + 400 + TICK_MS), "held_back", "and nothing had come");
});

test("a page that is busy again and again, or hidden, is patient longer, but not for ever", () => {
  for (const [everyMs, ticks] of /** @type {const} */ ([
    [TICK_MS, 12],
    [400, 8],
    [1000, 6],
    [60_000, 6],
  ])) {
    const patience = new Patience(0, HELLO_MS);
    let nowMs = 0;
    let looks = 0;
    do {
      nowMs += everyMs;
      looks += 1;
    } while (!patience.over(nowMs));
    assert.equal(looks, ticks, `a look every ${everyMs} ms`);
  }
});

test("tasks of more than half a second are a busy page, however many there are", () => {
  for (const everyMs of [501, 700, 899]) {
    const patience = new Patience(0, HELLO_MS);
    const looks = Array.from({ length: 40 }, (_, look) => patience.over(everyMs * (look + 1)));
    assert.ok(!looks.includes(true), `a look every ${everyMs} ms`);
  }
});

test("which answers are those of something between", () => {
  const sse = "text/event-stream";
  for (const [status, contentType, code, foreign] of /** @type {const} */ ([
    [200, `${sse}; charset=utf-8`, "", false],
    [200, "Text/Event-Stream", "", false],
    [200, "text/html", "", true],
    [200, "text/event-str", "", false],
    [200, "", "", false],
    [204, "", "", false],
    [403, "text/html", "", true],
    [403, "application/problem+json", "forbidden", false],
    [404, "text/html", "", false],
    [405, "", "", true],
    [502, "text/html", "", true],
    [503, sse, "overloaded", false],
    [504, "text/html", "", true],
    [401, "text/html", "", false],
    [429, "", "", false],
  ])) {
    assert.equal(
      isForeign(headOf({ status, contentType, code })),
      foreign,
      `${status} ${contentType} ${code}`,
    );
  }
});

const NO_PLATFORM = { pageUrl: undefined, newKey: () => "k1" };
const opening = { do: "connect", connection: 1, reason: "", lastEventId: "", heartbeatS: null };

/** @param {string} url @param {import("../../sse_widget/js/transport/endpoint.js").EndpointOptions} options @param {object} [how] */
async function callOf(url, options, how = {}) {
  const connect = { ...opening, target: "start", streamId: "", after: 0, snapshot: false, ...how };
  const said = await new Endpoint(url, options, NO_PLATFORM).said();
  const { address, fields } = openingCall(said, /** @type {any} */ (connect));
  return [address.href, fields];
}

test("a question in frames: body, parameters of the URL, key, language, heartbeat", async () => {
  const url = "https://h.example/base/api/v1/stream/chat?chunk_tokens=3&_xsrf=x&heartbeat_s=7";
  const body = { q: "ما هو؟" };
  assert.deepEqual(await callOf(url, { body, headers: { "Accept-Language": "ar" } }), [
    "wss://h.example/base/api/v1/stream/ws?_xsrf=x",
    { op: "start", body: { chunk_tokens: "3", q: "ما هو؟" }, key: "k1", heartbeat_s: "7", lang: "ar" },
  ]);
  assert.deepEqual(await callOf("http://h.example/api/v1/stream/chat?q=why&key=k2", {}, { heartbeatS: 2 }), [
    "ws://h.example/api/v1/stream/ws",
    { op: "start", body: { q: "why" }, key: "k2", heartbeat_s: 2 },
  ]);
});

test("credentials in frames: tickets, Jupyter's token; others' tokens stay out of URLs", async () => {
  const run = `http://h.example/api/v1/stream/runs/${STREAM}`;
  const place = { target: "resume", streamId: STREAM };
  const attach = { op: "attach", stream_id: STREAM };
  const socket = "ws://h.example/api/v1/stream/ws";
  assert.deepEqual(await callOf(`${run}?ticket=t`, {}, { ...place, after: 4 }), [
    `${socket}?ticket=t`,
    { ...attach, after: 4, ticket: "t" },
  ]);
  assert.deepEqual(
    await callOf(run, { headers: { Authorization: "Ticket t" } }, { ...place, snapshot: true }),
    [`${socket}?ticket=t`, { ...attach, snapshot: true, ticket: "t" }],
  );
  assert.deepEqual(await callOf(run, { headers: { Authorization: "token abc" } }, place), [
    `${socket}?token=abc`,
    attach,
  ]);
  await assert.rejects(callOf(run, { headers: { Authorization: "Bearer abc" } }, place));
  const said = await new Endpoint(run, {}, NO_PLATFORM).said();
  assert.deepEqual(orderCall(said, "tune", STREAM, { delay_ms: 5 }).fields, {
    op: "tune",
    stream_id: STREAM,
    changes: { delay_ms: 5 },
  });
});

test("locks of a page: one at a time, in order, or not at all, and a wait can be given up", async () => {
  const locks = new PageLocks();
  /** @type {string[]} */
  const said = [];
  let release = (/** @type {string} */ _value) => {};
  const first = locks.request("a", {}, () => new Promise((resolve) => (release = resolve)));
  assert.equal(await locks.request("a", { ifAvailable: true }, (lock) => lock), null);
  assert.deepEqual(await locks.request("b", { ifAvailable: true }, (lock) => lock), { name: "b" });
  const second = locks.request("a", {}, () => said.push("second"));
  const left = new AbortController();
  const third = locks.request("a", { signal: left.signal }, () => said.push("third"));
  const fourth = locks.request("a", {}, () => said.push("fourth"));
  left.abort(new Error("enough"));
  await assert.rejects(third, /enough/);
  await assert.rejects(
    locks.request("a", { signal: left.signal }, () => said.push("late")),
    /enough/,
  );
  release("done");
  assert.equal(await first, "done");
  await Promise.all([second, fourth]);
  assert.deepEqual(said, ["second", "fourth"]);
  await assert.rejects(
    locks.request("a", {}, () => {
      throw new Error("broken");
    }),
    /broken/,
  );
  assert.deepEqual(await locks.request("a", { ifAvailable: true }, (lock) => lock), { name: "a" });
});

for (const [name, locks] of /** @type {const} */ ([
  ["of the tabs", globalThis.navigator?.locks ?? null],
  ["of the page", null],
  [
    "that may not be used",
    {
      request: () => Promise.reject(new DOMException("opaque origin", "SecurityError")),
    },
  ],
])) {
  test(`four slots, and one turn after the other beside them, by locks ${name}`, async () => {
    const slots = new Slots(`http://${name.replaceAll(" ", ".")}`, locks, new PageLocks());
    const taken = await Promise.all([1, 2, 3, 4].map(() => slots.take()));
    assert.ok(taken.every(Boolean));
    assert.equal(await slots.take(), null);
    const { signal } = new AbortController();
    const turn = await slots.turn(signal);
    assert.equal(turn.crowded, true);
    const left = new AbortController();
    const waiting = slots.turn(left.signal);
    left.abort();
    await assert.rejects(waiting);
    const next = slots.turn(signal);
    turn.release();
    (await next).release();
    taken[2]?.();
    const free = await slots.turn(signal);
    assert.equal(free.crowded, false);
    free.release();
    for (const release of taken) release?.();
  });
}

test("a way that failed is avoided for a while, also by those who read the store", () => {
  let nowMs = 0;
  /** @type {Map<string, string>} */
  const kept = new Map();
  const store = {
    getItem: (/** @type {string} */ name) => kept.get(name) ?? null,
    setItem: (/** @type {string} */ name, /** @type {string} */ value) => kept.set(name, value),
  };
  const memory = (origin = "http://a") => new Memory(origin, new Map(), store, () => nowMs);
  const first = memory();
  assert.equal(first.reason("sse"), "");
  first.avoid("sse", "held_back");
  first.avoid("websocket", "blocked");
  assert.deepEqual(
    [first.reason("sse"), memory().reason("websocket"), memory("http://b").reason("sse")],
    ["held_back", "blocked", ""],
  );
  nowMs += AVOID_MS;
  assert.equal(memory().reason("sse"), "");
  first.avoid("sse", "refused");
  first.forget();
  assert.equal(memory().reason("sse"), "");
  kept.set("sse-widget:ways:http://c", "{");
  assert.equal(memory("http://c").reason("sse"), "");
});

/** A WebSocket that the test speaks for. */
class Line {
  /** @type {Line[]} */
  static all = [];
  /** @type {string[]} */
  sent = [];
  closed = false;
  onopen = () => {};
  onclose = () => {};
  onmessage = (/** @type {{data: unknown}} */ _message) => {};

  /** @param {string} url */
  constructor(url) {
    this.url = url;
    Line.all.push(this);
  }

  /** @param {string} text */
  send(text) {
    this.sent.push(JSON.parse(text).op);
  }

  close() {
    this.closed = true;
  }

  /** @param {unknown} value */
  say(value) {
    this.onmessage({ data: JSON.stringify(value) });
  }
}

function scene() {
  Line.all = [];
  const clock = new Clock();
  const network = { ...clock, WebSocket: /** @type {any} */ (Line), shared: newShared() };
  /** @type {any[]} */
  const heard = [];
  const hearer = {
    frame: (/** @type {any} */ frame) => heard.push(frame.event),
    lost: (/** @type {string} */ why) => heard.push(why),
  };
  const line = () => /** @type {Line} */ (Line.all.at(-1));
  const socket = (address = "ws://h/ws") => socketTo(new URL(address), network);
  return { clock, network, heard, hearer, line, socket };
}

test("a socket that says nothing after it was asked is given up, with all its streams", () => {
  const { clock, heard, hearer, line, socket } = scene();
  socket().ask({ op: "attach" }, hearer);
  assert.deepEqual(line().sent, [], "it is not open yet");
  clock.advance(ANSWER_MS);
  assert.deepEqual([heard, line().closed], [["socket_silent"], true]);
  socket().ask({ op: "attach" }, hearer);
  assert.equal(Line.all.length, 2, "the next one asks anew");
  line().onopen();
  line().say({ ref: "1", stream: "s", event: "hello" });
  clock.advance(10 * ANSWER_MS);
  assert.deepEqual(heard, ["socket_silent", "hello"], "a stream may be silent for long");
  socket().ask({ op: "stop" }, hearer);
  clock.advance(ANSWER_MS);
  assert.deepEqual(heard.slice(2), ["socket_silent", "socket_silent"]);
});

test("a socket without a stream is closed after a while; what was never sent needs no leaving", () => {
  const { clock, heard, hearer, line, socket } = scene();
  const leave = socket().ask({ op: "attach" }, hearer);
  leave();
  leave();
  line().onopen();
  assert.deepEqual(line().sent, []);
  const second = socket().ask({ op: "attach" }, hearer);
  line().say({ ref: "2", stream: "s", event: "hello" });
  clock.advance(IDLE_MS);
  second();
  assert.deepEqual(line().sent, ["attach", "leave"]);
  line().say({ ref: "2", event: "end" });
  clock.advance(IDLE_MS - 1);
  assert.equal(line().closed, false);
  clock.advance(1);
  assert.deepEqual([line().closed, heard], [true, ["hello"]]);
});

test("a socket that closes, that may not be, or that says nonsense", () => {
  const { clock, network, heard, hearer, line, socket } = scene();
  socket().ask({ op: "attach" }, hearer);
  line().onclose();
  socket().ask({ op: "attach" }, hearer);
  line().onopen();
  for (const nonsense of [7, null, [], [null, 3], {}, { ref: 1 }, { ref: "99", event: "delta" }])
    line().say(nonsense);
  line().onmessage({ data: "{" });
  line().onmessage({ data: new ArrayBuffer(3) });
  line().onclose();
  assert.deepEqual(heard, ["socket_refused", "socket_closed"]);
  const forbidden = class {
    constructor() {
      throw new DOMException("mixed content", "SecurityError");
    }
  };
  for (const WebSocket of [/** @type {any} */ (forbidden), null]) {
    new SharedSocket("ws://h/ws", { ...network, WebSocket }, () => {}).ask({ op: "attach" }, hearer);
    clock.advance(0);
  }
  assert.deepEqual(heard.slice(2), ["socket_refused", "socket_refused"]);
});

test("one socket for all tickets of a server, another one for the page's own login", () => {
  const { socket } = scene();
  assert.equal(socket("ws://h/ws?ticket=a"), socket("ws://h/ws?ticket=b"));
  assert.notEqual(socket("ws://h/ws?ticket=a"), socket("ws://h/ws"));
  assert.deepEqual(
    Line.all.map(({ url }) => url),
    ["ws://h/ws?ticket=a", "ws://h/ws"],
  );
});
