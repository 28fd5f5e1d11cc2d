import assert from "node:assert/strict";
import { test } from "node:test";
import { SSEConsumer } from "../../sse_widget/js/open.js";
import {
  Clock,
  cutAt,
  done,
  EVENT_STREAM,
  encode,
  LogServer,
  PIECES,
  refuse,
  STREAM,
  TEXT,
} from "./log_server.js";
import { toldBy } from "./told.js";

/** @typedef {import("../../sse_widget/js/open.js").ConsumerOptions} Options */

/** A consumer and what it was told. @param {string} url @param {Options} [options] */
function reader(url, options = {}) {
  return toldBy(new SSEConsumer(url, { reconnectDelay: 0, random: () => 0, ...options }));
}

const ASK = { body: { q: "?" } };
const IN_ORDER = PIECES.map((_, index) => `${STREAM}:${index + 2}`);

test("cut at every byte of the response, head and framing included, nothing is lost and nothing comes twice", async (t) => {
  const server = (await LogServer.start(t)).fill();
  const length = server.recording(0).length;
  for (let at = 0; at <= length; at++) {
    server.script = [cutAt(at)];
    const told = reader(server.chatUrl, ASK);
    assert.equal(await told.consumer.connect(), "done", `cut at ${at}`);
    assert.equal(told.text, TEXT, `cut at ${at}`);
    assert.deepEqual(told.ids, IN_ORDER, `cut at ${at}`);
    assert.equal(server.starts, at + 1, `cut at ${at}: one run`);
  }
  assert.ok(TEXT.includes("👩‍👩‍👧‍👦") && length > 1000);
});

test("cut again and again", async (t) => {
  const server = (await LogServer.start(t)).fill();
  const length = server.recording(0).length;
  for (let round = 1; round <= 40; round++) {
    // A multiplier prime to the length visits the offsets in a scattered order, the same every time.
    server.script = [1, 2, 3, 4, 5].map((cut) => cutAt((round * 389 * cut) % length));
    const told = reader(server.chatUrl, ASK);
    assert.equal(await told.consumer.connect(), "done");
    assert.equal(told.text, TEXT);
    assert.deepEqual(told.ids, IN_ORDER);
    assert.equal(server.starts, round);
  }
});

test("a first request: POST, JSON, exactly one Accept, a key, no cache", async (t) => {
  const server = (await LogServer.start(t)).fill();
  const told = reader(server.chatUrl, { body: { q: "ما هو؟" }, headers: { "X-XSRFToken": "x" } });
  assert.equal(await told.consumer.connect(), "done");
  const { method, headers, body } = server.visits[0] ?? assert.fail();
  assert.equal(method, "POST");
  assert.equal(headers.accept, "text/event-stream");
  assert.equal(headers["content-type"], "application/json");
  assert.match(
    headers["idempotency-key"],
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  assert.equal(headers["cache-control"], "no-cache");
  assert.equal(headers["x-xsrftoken"], "x");
  assert.equal(headers["x-sse-reconnect"], undefined);
  assert.deepEqual(JSON.parse(body), { q: "ما هو؟" });
  assert.equal(told.consumer.streamId, STREAM);
  assert.equal(told.consumer.lastEventId, `${STREAM}:${PIECES.length + 2}`);
  assert.equal(told.consumer.error, null);
});

test("a resume: GET of the run by Last-Event-ID, with the reason; the question is gone, the ticket stays", async (t) => {
  const server = (await LogServer.start(t)).fill();
  const head = server.recording(0).indexOf(`id: ${STREAM}:3`);
  server.script = [cutAt(head)];
  let asked = 0;
  const headers = () => ({ Authorization: `Bearer ${++asked}` });
  const told = reader(`${server.chatUrl}?q=why&question=why&key=k&ticket=t`, { headers });
  assert.equal(await told.consumer.connect(), "done");
  const [first, second] = server.visits;
  assert.equal(first?.headers["idempotency-key"], undefined, "the URL has a key");
  assert.equal(first?.headers.authorization, "Bearer 1");
  assert.equal(second?.method, "GET");
  assert.equal(second?.url.pathname + second?.url.search, `/api/v1/stream/runs/${STREAM}?ticket=t`);
  assert.equal(second?.headers["last-event-id"], `${STREAM}:2`);
  assert.equal(second?.headers["x-sse-reconnect"], "connection=2; reason=cut");
  assert.equal(second?.headers.authorization, "Bearer 2");
});

test("across origins a resume needs no header that would be asked for first", async (t) => {
  const server = (await LogServer.start(t)).fill();
  server.script = [cutAt(server.recording(0).indexOf(`id: ${STREAM}:3`))];
  const told = reader(`${server.chatUrl}?q=why`, { pageUrl: "https://page.example/", key: "mine" });
  assert.equal(await told.consumer.connect(), "done");
  const [first, second] = server.visits;
  assert.equal(first?.url.search, "?q=why&key=mine");
  assert.equal(first?.headers["idempotency-key"], undefined);
  assert.equal(second?.url.search, "?after=2");
  assert.equal(second?.headers["last-event-id"], undefined);
  assert.equal(second?.headers["x-sse-reconnect"], undefined);
  assert.equal(told.text, TEXT);
});

test("attach: by the URL of a run, by ?after, by the last event id, by snapshot, by another folder of runs", async (t) => {
  const server = (await LogServer.start(t)).fill();
  /** @param {string} url @param {Options} [options] */
  const visit = async (url, options) => {
    const told = reader(url, options);
    assert.equal(await told.consumer.connect(), "done");
    const { method, headers, url: seen } = server.visits.at(-1) ?? assert.fail();
    assert.equal(method, "GET");
    return [told.text, seen.pathname + seen.search, headers["last-event-id"]];
  };
  const run = `/api/v1/stream/runs/${STREAM}`;
  const rest = PIECES.slice(1).join("");
  assert.deepEqual(await visit(server.runUrl), [TEXT, run, undefined]);
  assert.deepEqual(await visit(`${server.runUrl}?after=2`), [rest, run, `${STREAM}:2`]);
  assert.deepEqual(await visit(server.runUrl, { lastEventId: `${STREAM}:2` }), [rest, run, `${STREAM}:2`]);
  const foreign = `${"f".repeat(32)}:2`;
  assert.deepEqual(await visit(server.runUrl, { lastEventId: foreign }), [TEXT, run, undefined]);
  assert.deepEqual(await visit(server.chatUrl, { ...ASK, lastEventId: `${STREAM}:2` }), [
    rest,
    run,
    `${STREAM}:2`,
  ]);
  assert.deepEqual(await visit(server.runUrl, { snapshot: true }), [TEXT, `${run}?snapshot=1`, undefined]);
  assert.deepEqual(await visit(`${server.runUrl}?snapshot=1`), [TEXT, `${run}?snapshot=1`, undefined]);
  const other = { lastEventId: `${STREAM}:0`, runsUrl: new URL("/elsewhere", server.runUrl).href };
  assert.deepEqual(await visit(server.chatUrl, other), [TEXT, `/elsewhere/${STREAM}`, undefined]);
  assert.equal(server.starts, 0);
});

test("a stream of ours in another's form is read as that of another server", async (t) => {
  const server = await LogServer.start(t);
  server.script = [
    (response) => {
      response.writeHead(200, { ...EVENT_STREAM, "X-Stream-Id": STREAM, "X-Stream-Format": "openai" });
      response.end('data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n');
    },
  ];
  /** @type {string[]} */
  const raw = [];
  const consumer = new SSEConsumer(new URL("/v1/chat/completions", server.chatUrl).href, ASK);
  consumer.onEvent((event) => raw.push(event.data));
  assert.equal(await consumer.connect(), "done");
  assert.deepEqual(raw, ['{"choices":[{"delta":{"content":"a"}}]}', "[DONE]"]);
  assert.equal(server.visits.length, 1);
});

test("every handler hears its event, in order, with parsed data", async (t) => {
  const server = await LogServer.start(t);
  server.append("start", { status: "started" });
  for (const name of ["progress", "preview", "audio", "metadata", "scene"]) server.append(name, { of: name });
  server.append("note", "no JSON");
  server.end();
  server.script = [
    (response, visit) => {
      response.writeHead(200, { ...EVENT_STREAM, "X-Stream-Id": STREAM });
      const [first, ...rest] = server.log;
      response.end(
        `: quiet\n\n${server.hello(server.after(visit))}${first}${encode("ping", "🔧")}${rest.join("")}`,
      );
    },
  ];
  /** @type {any[]} */
  const heard = [];
  /** @type {any[]} */
  const raw = [];
  /** @param {string} name */
  const note = (name) => (/** @type {any} */ data) =>
    heard.push([name, data.of ?? data.status ?? data.reason ?? data]);
  const consumer = new SSEConsumer(server.chatUrl, ASK)
    .onHello((data) => heard.push(["hello", data.stream_id]))
    .onStart(note("start"))
    .onDelta(note("delta"))
    .onProgress(note("progress"))
    .onPreview(note("preview"))
    .onAudio(note("audio"))
    .onMetadata(note("metadata"))
    .onPing(note("ping"))
    .onDone(note("done"))
    .onComplete(note("complete"))
    .on("scene", note("scene"))
    .on("note", note("note"))
    .onEvent((event) => raw.push(event))
    .onComment(note("comment"));
  assert.equal(consumer.state, "idle");
  const outcome = consumer.connect();
  assert.equal(consumer.connect(), outcome, "one stream, one outcome");
  assert.equal(await outcome, "done");
  assert.deepEqual(heard, [
    ["comment", "quiet"],
    ["hello", STREAM],
    ["start", "started"],
    ["ping", "🔧"],
    ...["progress", "preview", "audio", "metadata", "scene"].map((name) => [name, name]),
    ["note", "no JSON"],
    ["done", "stop"],
    ["complete", "stop"],
  ]);
  assert.deepEqual(raw.at(-1), { event: "done", data: JSON.stringify(done("")), id: `${STREAM}:8` });
  assert.equal(raw.length, 10);
});

test("states are told in order, with attempt, delay and reason", async (t) => {
  const server = (await LogServer.start(t)).fill();
  server.script = [refuse(503), cutAt(server.recording(0).length - 5)];
  const told = reader(server.chatUrl, ASK);
  assert.equal(await told.consumer.connect(), "done");
  assert.deepEqual(told.states, [
    ["connecting", { connection: 1, reason: "" }],
    ["waiting", { attempt: 1, delayMs: 0, reason: "http_503" }],
    ["connecting", { connection: 2, reason: "http_503" }],
    ["open", {}],
    ["done", { code: "", message: "" }],
  ]);
});

test("a handler that throws is reported, and the stream goes on", async (t) => {
  const server = (await LogServer.start(t)).fill();
  /** @type {unknown[]} */
  const reported = [];
  const told = reader(server.chatUrl, { ...ASK, report: (error) => reported.push(error) });
  const broken = new Error("broken handler");
  told.consumer.onStart(() => {
    throw broken;
  });
  const started = told.hears("start");
  assert.equal(await told.consumer.connect(), "done");
  assert.deepEqual(await started, { status: "started" });
  assert.equal(told.text, TEXT);
  assert.deepEqual(reported, [broken]);
});

const SSE_REFUSAL = encode("error", {
  message: "اختصره",
  code: "question_too_long",
  type: "invalid",
  retryable: false,
});
for (const [name, status, headers, body, code, message] of /** @type {const} */ ([
  ["an SSE error event", 413, EVENT_STREAM, SSE_REFUSAL, "question_too_long", "اختصره"],
  ["one without its last line end", 413, EVENT_STREAM, SSE_REFUSAL.trimEnd(), "question_too_long", "اختصره"],
  [
    "problem+json",
    403,
    { "Content-Type": "application/problem+json" },
    '{"code": "forbidden", "detail": "no"}',
    "forbidden",
    "no",
  ],
  ["a page", 404, { "Content-Type": "text/html" }, "<h1>404</h1>", "not_found", "the server answered 404"],
  ["JSON of another shape", 400, {}, "[1]", "invalid_request", "the server answered 400"],
  ["nothing", 401, {}, "", "unauthorized", "the server answered 401"],
  ["a page without end", 410, {}, "x".repeat(1_000_000), "expired", "the server answered 410"],
])) {
  test(`a refusal is final: ${name}`, async (t) => {
    const server = await LogServer.start(t);
    server.script = [refuse(status, headers, body)];
    const told = reader(server.chatUrl, ASK);
    assert.equal(await told.consumer.connect(), "error");
    assert.deepEqual(told.consumer.error, { code, message });
    assert.deepEqual(told.errors, [{ code, message, type: "error", retryable: false }]);
    assert.equal(server.visits.length, 1);
  });
}

test("a refusal whose body is cut keeps its status", async (t) => {
  const server = await LogServer.start(t);
  server.script = [
    (response) => {
      response.writeHead(400, EVENT_STREAM).write("event: err");
      response.socket?.end();
    },
  ];
  assert.equal(await reader(server.chatUrl, ASK).consumer.connect(), "error");
});

test("429 waits as Retry-After says, in seconds or until a date", async (t) => {
  const server = (await LogServer.start(t)).fill();
  const wall = Date.parse("2030-01-01T00:00:00Z");
  for (const [value, delayMs] of /** @type {const} */ ([
    ["7", 7000],
    ["Tue, 01 Jan 2030 00:01:00 GMT", 60_000],
    ["Mon, 31 Dec 2029 00:00:00 GMT", 0],
    ["soon", 0],
  ])) {
    const clock = new Clock();
    server.script = [refuse(429, { "Retry-After": value })];
    const told = reader(server.chatUrl, { ...ASK, ...clock, wall: () => wall });
    const waiting = told.enters("waiting");
    const outcome = told.consumer.connect();
    assert.deepEqual(await waiting, { attempt: 1, delayMs, reason: "http_429" });
    const visits = server.visits.length;
    clock.advance(Math.max(0, delayMs - 1));
    assert.equal(server.visits.length, visits);
    clock.advance(1);
    assert.equal(told.consumer.state, "connecting");
    assert.equal(await outcome, "done");
  }
  assert.equal(server.starts, 4);
});

test("a wait longer than timers can be is not cut short", async (t) => {
  const server = await LogServer.start(t);
  server.script = [refuse(503, { "Retry-After": "5000000" })];
  const clock = new Clock();
  const told = reader(server.chatUrl, { ...ASK, ...clock });
  const waiting = told.enters("waiting");
  told.consumer.connect();
  await waiting;
  const dueMs = () => [...clock.timers.values()].map(({ atMs }) => atMs);
  clock.advance(45_000);
  assert.deepEqual(dueMs(), [45_000 + 2 ** 31 - 1], "after the watchdog's, the longest that a timer can be");
  clock.advance(2 ** 31 - 1);
  assert.deepEqual(dueMs(), [45_000 + 2 * (2 ** 31 - 1)]);
  assert.equal(told.consumer.state, "waiting");
  told.consumer.disconnect();
  assert.equal(clock.timers.size, 0);
});

test("204 ends for good", async (t) => {
  const server = await LogServer.start(t);
  server.script = [refuse(204)];
  const told = reader(server.runUrl, { lastEventId: `${STREAM}:9` });
  assert.equal(await told.consumer.connect(), "done");
  assert.deepEqual(told.errors, []);
});

test("attempts used up end as interrupted, told once", async (t) => {
  const server = await LogServer.start(t);
  server.script = [cutAt(0), cutAt(0), cutAt(0)];
  const told = reader(server.chatUrl, { ...ASK, maxReconnectAttempts: 2 });
  assert.equal(await told.consumer.connect(), "interrupted");
  assert.equal(told.consumer.error?.code, "connect_failed");
  assert.equal(told.errors.length, 1);
  assert.equal(server.visits.length, 3);
  assert.equal(server.starts, 1);
});

test("without reconnection a cut is the end", async (t) => {
  const server = (await LogServer.start(t)).fill();
  server.script = [cutAt(server.recording(0).length - 20)];
  assert.equal(await reader(server.chatUrl, { ...ASK, reconnect: false }).consumer.connect(), "interrupted");
  assert.equal(server.visits.length, 1);
});

test("a server that is not there", async () => {
  const told = reader("http://127.0.0.1:9/api/v1/stream/chat", { ...ASK, maxReconnectAttempts: 1 });
  assert.equal(await told.consumer.connect(), "interrupted");
});

test("an error event ends the stream and is told once", async (t) => {
  const server = await LogServer.start(t);
  const data = { message: "the model failed", code: "upstream_error", type: "upstream", retryable: true };
  server.append("error", data);
  server.over = true;
  const told = reader(server.chatUrl, ASK);
  assert.equal(await told.consumer.connect(), "error");
  assert.deepEqual(told.errors, [data]);
  assert.deepEqual(told.consumer.error, { code: "upstream_error", message: "the model failed" });
});

test("a text that does not match is read again from its start", async (t) => {
  const server = (await LogServer.start(t)).fill();
  server.script = [
    (response) => {
      response.writeHead(200, { ...EVENT_STREAM, "X-Stream-Id": STREAM });
      response.end(server.hello(0) + server.log.join("").replace("Hello", "Jello"));
    },
  ];
  const told = reader(server.chatUrl, ASK);
  assert.equal(await told.consumer.connect(), "done");
  assert.equal(told.text, TEXT);
  assert.equal(server.starts, 1);
});

test("stop ends the run, and resolves when the server has answered", async (t) => {
  const server = await LogServer.start(t);
  const told = reader(`${server.chatUrl}?ticket=t`, { ...ASK, headers: { "X-XSRFToken": "x" } });
  const heard = told.hears("delta");
  const outcome = told.consumer.connect();
  await told.hears("hello");
  server.append("start", { status: "started" });
  server.append("delta", { text: "half" });
  await heard;
  const stopped = told.consumer.stop();
  assert.equal(told.consumer.stop(), stopped, "one stop is enough");
  assert.equal(await stopped, true);
  assert.equal(await outcome, "stopped");
  assert.equal(told.text, "half");
  const { method, url, headers } = server.visits.at(-1) ?? assert.fail();
  assert.equal(`${method} ${url.pathname}${url.search}`, `DELETE /api/v1/stream/runs/${STREAM}?ticket=t`);
  assert.equal(headers["x-xsrftoken"], "x");
  assert.equal(await told.consumer.stop(), true);
});

test("stop before the run is known waits until it is", async (t) => {
  const server = await LogServer.start(t);
  const told = reader(server.chatUrl, ASK);
  const stopped = told.consumer.stop();
  const outcome = told.consumer.connect();
  assert.equal(await stopped, true);
  assert.equal(await outcome, "stopped");
  assert.deepEqual(
    server.visits.map(({ method }) => method),
    ["POST", "DELETE"],
  );
});

test("stop during a wait sees the end at once", async (t) => {
  const server = await LogServer.start(t);
  const told = reader(server.chatUrl, { ...ASK, ...new Clock(), reconnectDelay: 1000, random: () => 0.9 });
  const waiting = told.enters("waiting");
  const outcome = told.consumer.connect();
  await told.hears("hello");
  server.cut();
  await waiting;
  assert.equal(await told.consumer.stop(), true);
  assert.equal(await outcome, "stopped");
});

test("stop before any answer, while it waits: there is no run to end", async (t) => {
  const server = await LogServer.start(t);
  server.script = [refuse(503, { "Retry-After": "60" })];
  const told = reader(server.chatUrl, ASK);
  const waiting = told.enters("waiting");
  const outcome = told.consumer.connect();
  await waiting;
  assert.equal(await told.consumer.stop(), false);
  assert.equal(await outcome, "stopped");
  assert.equal(server.visits.length, 1);
});

test("stop, then leave, before the first answer: its run is ended; when none comes, that is all", async (t) => {
  const server = await LogServer.start(t);
  const told = reader(server.chatUrl, ASK);
  const outcome = told.consumer.connect();
  const stopped = told.consumer.stop();
  told.consumer.disconnect();
  assert.equal(await stopped, true);
  assert.equal(await outcome, "closed");
  assert.deepEqual(
    server.visits.map(({ method }) => method),
    ["POST", "DELETE"],
  );
  server.script = [(response) => response.destroy()];
  const unheard = reader(server.chatUrl, ASK);
  const end = unheard.consumer.connect();
  const vain = unheard.consumer.stop();
  unheard.consumer.disconnect();
  assert.deepEqual([await end, await vain, server.visits.length], ["closed", false, 3]);
});

test("stop that the server refuses, or that nothing can be done about", async (t) => {
  const server = await LogServer.start(t);
  const told = reader(server.chatUrl, ASK);
  const outcome = told.consumer.connect();
  await told.hears("hello");
  server.script = [refuse(403), (response) => response.destroy()];
  assert.equal(await told.consumer.stop(), false);
  assert.equal(await told.consumer.stop(), false);
  server.end();
  assert.equal(await outcome, "done");
  assert.equal(await told.consumer.stop(), false, "it is over");

  const unanswered = reader(server.chatUrl, ASK);
  unanswered.consumer.disconnect();
  assert.equal(await unanswered.consumer.stop(), false, "there is no run");
});

test("tune changes the run once it is known; what it reaches no more is said", async (t) => {
  const server = await LogServer.start(t);
  const told = reader(`${server.chatUrl}?ticket=t`, { ...ASK, headers: { "X-XSRFToken": "x" } });
  const tuned = told.consumer.tune({ chunk_tokens: 1 });
  const outcome = told.consumer.connect();
  server.script = [(response, visit) => server.answer(response, visit), refuse(202)];
  assert.equal(await tuned, true);
  const { method, url, headers, body } = server.visits.at(-1) ?? assert.fail();
  assert.equal(`${method} ${url.pathname}${url.search}`, `PATCH /api/v1/stream/runs/${STREAM}?ticket=t`);
  assert.deepEqual([headers["x-xsrftoken"], headers["content-type"]], ["x", "application/json"]);
  assert.deepEqual(JSON.parse(body), { chunk_tokens: 1 });
  server.script = [refuse(403), (response) => response.destroy()];
  assert.equal(await told.consumer.tune({ delay_ms: 5 }), false);
  await assert.rejects(told.consumer.tune({ delay_ms: 5 }), "it was not reached");
  server.end();
  assert.equal(await outcome, "done");
  const visits = server.visits.length;
  assert.equal(await told.consumer.tune({ delay_ms: 5 }), false, "it is over");
  assert.equal(server.visits.length, visits);
});

test("update: another heartbeat is asked for at once, and nothing is lost", async (t) => {
  const server = await LogServer.start(t);
  const told = reader(server.chatUrl, { ...ASK, heartbeatS: 5 });
  const outcome = told.consumer.connect();
  await told.hears("hello");
  assert.equal(server.visits[0]?.url.search, "?heartbeat_s=5");
  const heard = told.hears("delta");
  server.append("start", {});
  server.append("delta", { text: PIECES[0] });
  await heard;
  const again = told.hears("hello");
  told.consumer.update({ heartbeatS: 5, reconnect: true });
  told.consumer.update({ heartbeatS: 0.5 });
  await again;
  for (const text of PIECES.slice(1)) server.append("delta", { text });
  server.end();
  assert.equal(await outcome, "done");
  assert.deepEqual(told.ids, IN_ORDER);
  assert.deepEqual(
    server.visits.map(({ method, url, headers }) => [method, url.search, headers["last-event-id"]]),
    [
      ["POST", "?heartbeat_s=5", undefined],
      ["GET", "?heartbeat_s=0.5", `${STREAM}:2`],
    ],
  );
  assert.equal(server.starts, 1);
});

test("update: reconnection switched off ends a wait", async (t) => {
  const server = await LogServer.start(t);
  server.script = [refuse(503, { "Retry-After": "60" })];
  const told = reader(server.chatUrl, ASK);
  const waiting = told.enters("waiting");
  const outcome = told.consumer.connect();
  await waiting;
  told.consumer.update({ reconnect: false, heartbeatS: 3 });
  assert.equal(await outcome, "interrupted");
  assert.equal(server.visits.length, 1);
});

test("bytes are those of the stream; the way is said", async (t) => {
  const server = (await LogServer.start(t)).fill();
  const told = reader(server.chatUrl, ASK);
  told.consumer.onTransport(() => assert.fail("it never switches"));
  assert.equal(told.consumer.transport, "sse");
  assert.equal(await told.consumer.connect(), "done");
  assert.equal(told.consumer.bytes, Buffer.byteLength(server.hello(0) + server.log.join("")));
});

test("disconnect in the middle leaves the run alone", async (t) => {
  const server = await LogServer.start(t);
  const told = reader(server.chatUrl, ASK);
  const outcome = told.consumer.connect();
  await told.hears("hello");
  told.consumer.disconnect();
  assert.equal(told.consumer.state, "closed");
  assert.equal(await outcome, "closed");
  server.fill();
  assert.equal(told.text, "");
  const again = reader(server.chatUrl, { lastEventId: told.consumer.lastEventId });
  assert.equal(await again.consumer.connect(), "done");
  assert.equal(again.text, TEXT);
  assert.equal(server.starts, 1);
});

test("disconnect by a handler, by a signal, before the start", async (t) => {
  const server = (await LogServer.start(t)).fill();
  const inside = reader(server.chatUrl, ASK);
  inside.consumer.onDelta(() => inside.consumer.disconnect());
  assert.equal(await inside.consumer.connect(), "closed");
  assert.equal(inside.text, PIECES[0], "nothing is delivered after the handler left");

  const atOnce = reader(server.chatUrl, ASK);
  atOnce.consumer.onState((state) => state === "connecting" && atOnce.consumer.disconnect());
  const visits = server.visits.length;
  assert.equal(await atOnce.consumer.connect(), "closed");
  assert.equal(server.visits.length, visits, "no request goes out");

  const owner = new AbortController();
  const signalled = reader(server.chatUrl, { ...ASK, signal: owner.signal });
  signalled.consumer.onHello(() => owner.abort());
  assert.equal(await signalled.consumer.connect(), "closed");
  assert.equal(await reader(server.chatUrl, { signal: owner.signal }).consumer.connect(), "closed");
});

test("restart in the middle, by a handler too, loses nothing", async (t) => {
  const server = (await LogServer.start(t)).fill();
  const told = reader(server.chatUrl, ASK);
  told.consumer.onDelta((_, event) => event?.id === `${STREAM}:4` && told.consumer.restart());
  assert.equal(await told.consumer.connect(), "done");
  assert.equal(told.text, TEXT);
  assert.deepEqual(told.ids, IN_ORDER);
  assert.equal(server.visits[1]?.headers["x-sse-reconnect"], "connection=2; reason=restart");
  assert.equal(server.visits[1]?.headers["last-event-id"], `${STREAM}:4`);
});

test("the watchdog: any byte keeps it quiet, silence does not", async (t) => {
  const server = await LogServer.start(t);
  const clock = new Clock();
  const told = reader(server.chatUrl, { ...ASK, ...clock });
  const waiting = told.enters("waiting");
  const outcome = told.consumer.connect();
  await told.hears("hello");
  clock.advance(40_000);
  const looked = clock.looked();
  server.say("d");
  await looked;
  clock.advance(44_999);
  assert.equal(told.consumer.state, "open");
  clock.advance(1);
  assert.deepEqual(await waiting, { attempt: 1, delayMs: 0, reason: "idle" });
  server.fill();
  clock.advance(0);
  assert.equal(await outcome, "done");
  assert.equal(told.text, TEXT);
});

test("an answer that never comes is given up", async (t) => {
  const server = (await LogServer.start(t)).fill();
  const clock = new Clock();
  const asked = new Promise((resolve) => {
    server.script = [() => resolve(null)];
  });
  const told = reader(server.chatUrl, { ...ASK, ...clock, heartbeatTimeout: 1000 });
  const waiting = told.enters("waiting");
  const outcome = told.consumer.connect();
  await asked;
  clock.advance(999);
  assert.equal(told.consumer.state, "connecting");
  clock.advance(1);
  await waiting;
  assert.equal(await outcome, "done");
  assert.equal(server.starts, 1);
});

test("a timer is not armed for every byte", async (t) => {
  const server = await LogServer.start(t);
  const clock = new Clock();
  const told = reader(server.chatUrl, { ...ASK, ...clock });
  const outcome = told.consumer.connect();
  await told.hears("hello");
  server.fill(Array.from({ length: 500 }, () => "x"));
  assert.equal(await outcome, "done");
  assert.ok(clock.armed <= 2, `${clock.armed} timers`);
  assert.equal(clock.timers.size, 0);
});

test("a wrong content type is final", async (t) => {
  const server = await LogServer.start(t);
  server.script = [refuse(200, { "Content-Type": "text/html" }, "<h1>sign in</h1>")];
  const told = reader(server.chatUrl, ASK);
  assert.equal(await told.consumer.connect(), "error");
  assert.equal(told.consumer.error?.code, "wrong_content_type");
});

test("an event over the limit is final, and what was heard stays", async (t) => {
  const server = await LogServer.start(t);
  const told = reader(server.chatUrl, { ...ASK, maxEventChars: 1000 });
  const outcome = told.consumer.connect();
  await told.hears("hello");
  const heard = told.hears("delta");
  server.append("start", {});
  server.append("delta", { text: "small" });
  await heard;
  server.say(`data: ${"x".repeat(2000)}`);
  assert.equal(await outcome, "error");
  assert.equal(told.consumer.error?.code, "limit_exceeded");
  assert.equal(told.text, "small");
});

test("a foreign server: EventSource's rules, retry: and last event id", async (t) => {
  const server = await LogServer.start(t);
  const clock = new Clock();
  server.script = [
    refuse(200, EVENT_STREAM, "retry: 50\n\ndata: one\nid: a\n\ndata: two\n\n"),
    refuse(200, EVENT_STREAM, "data: three\n\n"),
    refuse(204),
  ];
  const told = reader(`${server.foreignUrl}?q=1`, clock);
  /** @type {any[]} */
  const heard = [];
  told.consumer
    .onEvent(({ data, id }) => heard.push([data, id]))
    .onState((state, { delayMs }) => {
      if (state === "waiting") {
        assert.equal(delayMs, 50);
        queueMicrotask(() => clock.advance(50));
      }
    });
  assert.equal(await told.consumer.connect(), "done");
  assert.deepEqual(heard, [
    ["one", "a"],
    ["two", "a"],
    ["three", "a"],
  ]);
  assert.deepEqual(
    server.visits.map(({ url, headers }) => [url.search, headers["last-event-id"]]),
    [
      ["?q=1", undefined],
      ["?q=1", "a"],
      ["?q=1", "a"],
    ],
  );
  assert.equal(told.consumer.lastEventId, "a");
  assert.equal(told.consumer.streamId, "");
});

test("a foreign server: a POST is never sent again, and stop leaves", async (t) => {
  const server = await LogServer.start(t);
  server.script = [refuse(200, EVENT_STREAM, "data: whole\n\n")];
  assert.equal(await reader(server.foreignUrl, ASK).consumer.connect(), "done");
  server.script = [(response) => response.writeHead(200, EVENT_STREAM).write("data: first\n\n")];
  const told = reader(server.foreignUrl, ASK);
  const stopped = told.consumer.stop();
  assert.equal(await told.consumer.connect(), "closed");
  assert.equal(await stopped, false);
  assert.equal(server.visits.length, 2);
});

test("a fetch that knows nothing of signals cannot speak after it was left", async () => {
  /** @type {(response: Response) => void} */
  let answer = () => {};
  let cancelled = false;
  const fetch = () =>
    new Promise((/** @type {(response: Response) => void} */ resolve) => {
      answer = resolve;
    });
  const asked = new Promise((resolve) => setImmediate(resolve));
  const told = reader("http://server.example/chat", { ...ASK, fetch });
  const outcome = told.consumer.connect();
  await asked;
  told.consumer.disconnect();
  const body = new ReadableStream({
    cancel: () => {
      cancelled = true;
    },
  });
  answer(new Response(body, { headers: { "Content-Type": "text/event-stream" } }));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await outcome, "closed");
  assert.ok(cancelled);
  assert.deepEqual(
    told.states.map(([state]) => state),
    ["connecting", "closed"],
  );
});

test("a URL that is none is said at once", () => {
  assert.throws(() => new SSEConsumer("/api/v1/stream/chat"), TypeError);
  const onPage = new SSEConsumer("/api/v1/stream/chat", { pageUrl: "https://page.example/a/b" });
  assert.equal(onPage.state, "idle");
});
