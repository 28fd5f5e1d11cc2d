import assert from "node:assert/strict";
import { test } from "node:test";
import { Consumer } from "../../sse_widget/js/consumer.js";
import { KernelLink } from "../../sse_widget/js/kernel.js";
import { Faults } from "../../sse_widget/js/knobs/faults.js";
import { isGone } from "../../sse_widget/js/model.js";
import { transportOf } from "../../sse_widget/js/open.js";
import { Reading } from "../../sse_widget/js/reading.js";
import { shareFaults } from "../../sse_widget/js/traits.js";
import { extensionHeaders, jupyterBase, routeUrl } from "../../sse_widget/js/transport/jupyter.js";
import { Ladder } from "../../sse_widget/js/transport/ladder.js";
import { platformOf } from "../../sse_widget/js/transport/platform.js";
import { Relay } from "../../sse_widget/js/transport/relay.js";
import { Store } from "../../sse_widget/js/transport/store.js";
import { StatusLine } from "../../sse_widget/js/view/status.js";
import { LogServer, NODE, PIECES, refuse, STREAM, TEXT } from "./log_server.js";

const TRAITS = {
  stream_id: "",
  question: "",
  text: "",
  status: "idle",
  error: "",
  error_code: "",
  base_url: "",
  node: NODE,
  in_jupyter: false,
  model: "",
  lang: "",
  fault: "",
  faults_allowed: false,
};

/** A model as anywidget hands it out, and what the kernel would get of it. */
class Model {
  /** @type {Record<string, any>} */
  #traits;
  /** @type {Map<string, Set<(...values: any[]) => void>>} */
  #calls = new Map();
  /** @type {any[]} */
  sent = [];
  saved = 0;
  comm_live = true;
  /** @type {any} */
  widget_manager = null;

  /** @param {Partial<typeof TRAITS>} traits */
  constructor(traits) {
    this.#traits = { ...TRAITS, ...traits };
  }

  /** @param {any} name */
  get(name) {
    return this.#traits[name];
  }

  /** @param {any} name @param {any} value */
  set(name, value) {
    this.update({ [name]: value });
    return this;
  }

  /** All at once, then the events, as Backbone does; done when they were heard. @param {Partial<typeof TRAITS>} traits */
  async update(traits) {
    const changed = Object.entries(traits).filter(([name, value]) => this.#traits[name] !== value);
    Object.assign(this.#traits, traits);
    for (const [name] of changed) this.say(`change:${name}`);
  }

  /** Each with its event, one after the other, as marimo does. @param {Partial<typeof TRAITS>} traits */
  async updateEach(traits) {
    for (const [name, value] of Object.entries(traits)) this.update({ [name]: value });
  }

  save_changes() {
    this.saved += 1;
  }

  /** @param {any} message */
  send(message) {
    this.sent.push(message);
  }

  /** @param {string} name @param {(...values: any[]) => void} call */
  on(name, call) {
    this.#calls.set(name, (this.#calls.get(name) ?? new Set()).add(call));
  }

  /** @param {any} name @param {any} call */
  off(name, call) {
    this.#calls.get(name)?.delete(call);
  }

  /** @param {string} name @param {any} [message] */
  say(name, message) {
    for (const call of this.#calls.get(name) ?? []) call(message);
  }

  get listening() {
    return [...this.#calls.values()].reduce((count, calls) => count + calls.size, 0);
  }
}

/** @param {import("node:test").TestContext} t @param {Partial<typeof TRAITS>} traits @param {string} [baseUrl] */
function linked(t, traits, baseUrl = "") {
  const end = new AbortController();
  t.after(() => end.abort());
  /** @type {Map<string, string>} */
  const tickets = new Map();
  /** @type {any[]} */
  const carried = [];
  const model = new Model(traits);
  const reading = new Reading();
  const config = JSON.stringify({ baseUrl, token: "page" });
  const page = {
    baseURI: "http://127.0.0.1/lab",
    cookie: "a=b; _xsrf=2%7Cx=",
    getElementById: (/** @type {string} */ id) =>
      baseUrl && id === "jupyter-config-data" ? { textContent: config } : null,
  };
  const store = {
    getItem: (/** @type {string} */ name) => tickets.get(name) ?? null,
    setItem: (/** @type {string} */ name, /** @type {string} */ value) => void tickets.set(name, value),
  };
  const relay = new Relay(
    (message) => {
      carried.push(message);
      return !isGone(/** @type {any} */ (model));
    },
    "page",
    end.signal,
  );
  const ladder = new Ladder(
    () => ({
      pageUrl: page.baseURI,
      jupyterUrl: jupyterBase(page),
      inJupyter: model.get("in_jupyter"),
      kernelUrl: model.get("base_url") && `${model.get("base_url")}/`,
      colab: false,
      wanted: "auto",
      node: model.get("node"),
    }),
    {
      network: platformOf({}),
      permissions: undefined,
      secure: true,
      store,
      proxyPort: null,
      headers: (route) => (route === "extension" ? extensionHeaders(page) : {}),
      signal: end.signal,
    },
  );
  const streams = {
    transport: (/** @type {URL} */ url, /** @type {any} */ options) =>
      transportOf(url, { ...options, transport: "sse" }),
    consume: (/** @type {any} */ transport, /** @type {any} */ options) =>
      new Consumer(transport, { ...options, reconnectDelay: 0, maxReconnectAttempts: 1 }),
  };
  const faults = new Faults();
  shareFaults(faults, /** @type {any} */ (model), end.signal);
  const link = new KernelLink(/** @type {any} */ (model), reading, {
    faults,
    streams,
    tickets: store,
    ladder,
    relay,
    signal: end.signal,
  });
  /** @param {string} state @returns {Promise<unknown>} */
  const stands = (state) =>
    new Promise((resolve) => {
      const standing = () => reading.standing.state === state && resolve(null);
      reading.listen({ text() {}, clear() {}, beat() {}, standing }, end.signal);
      standing();
    });
  return { model, reading, link, ladder, carried, tickets, end, stands, faults };
}

/** @param {LogServer} server */
const origin = (server) => new URL(server.chatUrl).origin;

test("a run of the kernel is read with its ticket, which is kept for reloads", async (t) => {
  const server = (await LogServer.start(t)).fill();
  const { model, reading, tickets, stands } = linked(t, { base_url: origin(server) });
  await model.update({ stream_id: "", question: "hi", status: "connecting" });
  model.say("msg:custom", { type: "run", stream_id: STREAM, ticket: "t.1" });
  assert.equal(server.visits.length, 0);
  await model.update({ stream_id: STREAM });
  await stands("done");
  assert.deepEqual([reading.text, reading.question], [TEXT, "hi"]);
  assert.equal(server.visits[0]?.url.searchParams.get("ticket"), "t.1");
  assert.deepEqual([...tickets.values()].sort(), ["t.1", "url"]);
  assert.deepEqual(model.sent, []);
});

test("without a ticket the kernel is asked for one", async (t) => {
  const server = (await LogServer.start(t)).fill();
  const { model, reading, stands } = linked(t, {
    base_url: origin(server),
    stream_id: STREAM,
    status: "streaming",
    question: "hi",
  });
  assert.deepEqual(model.sent, [{ type: "ticket" }]);
  assert.equal(server.visits.length, 0);
  model.say("msg:custom", { type: "run", stream_id: STREAM, ticket: "t.2" });
  await stands("done");
  assert.equal(reading.text, TEXT);
  assert.equal(server.visits[0]?.url.searchParams.get("snapshot"), "1");
});

test("after a reload a run is read on without the kernel's help, from a snapshot", async (t) => {
  const server = (await LogServer.start(t)).fill();
  const known = { in_jupyter: true, stream_id: STREAM, status: "streaming" };
  const { reading, stands } = linked(t, known, `${origin(server)}/user/x/`);
  await stands("done");
  assert.equal(reading.text, TEXT);
  const { url, headers } = server.visits[0] ?? assert.fail();
  assert.equal(`${url.pathname}${url.search}`, `/user/x/sse-widget/api/v1/stream/runs/${STREAM}?snapshot=1`);
  assert.equal(headers["x-xsrftoken"], "2|x=");
  assert.equal(headers.authorization, "token page");
});

test("a run that is over is shown from the model, without a network", async (t) => {
  const { reading, model } = linked(t, {
    base_url: "http://127.0.0.1:1",
    stream_id: STREAM,
    status: "stopped",
    text: "so far",
    question: "hi",
  });
  assert.deepEqual([reading.text, reading.standing.state, reading.question], ["so far", "stopped", "hi"]);
  assert.deepEqual(model.sent, []);
});

test("in Jupyter the page asks by itself and tells the kernel the id", async (t) => {
  const server = (await LogServer.start(t)).fill();
  const { model, link, stands } = linked(
    t,
    { in_jupyter: true, model: "local", lang: "ar" },
    `${origin(server)}/`,
  );
  link.ask("ما هو؟");
  await stands("done");
  const { method, url, body, headers } = server.visits[0] ?? assert.fail();
  assert.deepEqual([method, url.pathname], ["POST", "/sse-widget/api/v1/stream/chat"]);
  assert.deepEqual(JSON.parse(body), { q: "ما هو؟", model: "local" });
  assert.equal(headers["accept-language"], "ar");
  assert.deepEqual([model.get("stream_id"), model.get("question"), model.saved], [STREAM, "ما هو؟", 1]);
  assert.deepEqual([server.visits.length, server.starts, model.sent.length], [1, 1, 0]);
});

test("elsewhere the kernel asks", async (t) => {
  for (const traits of [{}, { in_jupyter: true }, { in_jupyter: true, node: "" }]) {
    const { model, link } = linked(t, traits);
    await link.ask("hi");
    assert.deepEqual(model.sent, [{ type: "ask", q: "hi" }]);
  }
});

const PLAN = '{"seed":1,"steps":[]}';

test("a fault plan goes with the question and with every connection of its run", async (t) => {
  const server = (await LogServer.start(t)).fill();
  const traits = { in_jupyter: true, fault: PLAN, faults_allowed: true };
  const { model, link, stands, tickets, faults } = linked(t, traits, `${origin(server)}/`);
  link.ask("hi");
  await stands("done");
  assert.equal(server.visits[0]?.url.searchParams.get("fault"), PLAN);
  assert.equal(tickets.get(`sse-widget:fault:${STREAM}`), PLAN);
  faults.set({ text: "" });
  assert.deepEqual([model.get("fault"), model.saved], ["", 2]);
  link.ask("again");
  await stands("done");
  assert.equal(server.visits.at(-1)?.url.searchParams.has("fault"), false);
});

test("the kernel is told the plan with the question, and tells that of its own runs", async (t) => {
  const server = (await LogServer.start(t)).fill();
  const { model, link, stands, faults } = linked(t, { base_url: origin(server), faults_allowed: true });
  faults.set({ text: PLAN });
  await link.ask("hi");
  assert.deepEqual(model.sent, [{ type: "ask", q: "hi", fault: PLAN }]);
  await model.update({ fault: "" });
  assert.equal(faults.text, "");
  model.say("msg:custom", { type: "run", stream_id: STREAM, ticket: "t.1", fault: PLAN });
  await model.update({ stream_id: STREAM, status: "streaming" });
  await stands("done");
  assert.equal(server.visits[0]?.url.searchParams.get("fault"), PLAN);
  assert.equal(faults.running, PLAN);
});

test("a question that the server refused is shown as the kernel says it", async (t) => {
  const { model, reading } = linked(t, { base_url: "http://127.0.0.1:1" });
  await model.update({ question: "x", stream_id: "", status: "connecting" });
  await model.update({ error: "too long", error_code: "question_too_long", status: "error" });
  const { state, detail } = reading.standing;
  assert.deepEqual([state, detail], ["error", { code: "question_too_long", message: "too long" }]);
});

test("where the page cannot reach the server, the kernel's text is shown", async (t) => {
  const server = await LogServer.start(t);
  server.script.push(...[1, 2].map(() => (/** @type {any} */ response) => response.destroy()));
  const { model, reading, stands } = linked(t, { base_url: origin(server) });
  model.say("msg:custom", { type: "run", stream_id: STREAM, ticket: "t" });
  await model.update({ stream_id: STREAM });
  await stands("interrupted");
  await model.update({ text: TEXT, status: "done" });
  assert.deepEqual([reading.text, reading.standing.state], [TEXT, "done"]);
});

test("a host that sets one trait after the other shows the text with its end", async (t) => {
  const { model, reading } = linked(t, { base_url: "http://127.0.0.1:1" });
  /** @type {[string, string][]} */
  const ends = [];
  reading.listen({ standing: ({ state }) => ends.push([state, reading.text]) }, t.signal);
  await model.updateEach({ status: "connecting", question: "x" });
  await model.updateEach({ status: "done", text: TEXT });
  assert.deepEqual(ends.at(-1), ["done", TEXT]);
  assert.equal(ends.filter(([state]) => state === "done").length, 1, "and only once");
});

test("a run that begins and fails in one breath has failed", async (t) => {
  const { model, link, reading } = linked(t, { status: "done", text: TEXT, base_url: "http://127.0.0.1:1" });
  await link.ask("again");
  model.update({ question: "again", text: "", status: "connecting" });
  await model.update({ error: "too long", error_code: "question_too_long", status: "error" });
  const { state, detail } = reading.standing;
  assert.deepEqual([state, detail], ["error", { code: "question_too_long", message: "too long" }]);
});

test("while the page reads, the kernel's end changes nothing", async (t) => {
  const server = await LogServer.start(t);
  const { model, reading, stands } = linked(t, { base_url: origin(server) });
  model.say("msg:custom", { type: "run", stream_id: STREAM, ticket: "t" });
  await model.update({ stream_id: STREAM });
  await stands("open");
  await model.update({ text: "the whole text", status: "done" });
  assert.deepEqual([reading.text, reading.standing.state], ["", "open"]);
});

test("cut drops the page's connection too", async (t) => {
  const server = await LogServer.start(t);
  const { model, reading, stands } = linked(t, { base_url: origin(server) });
  model.say("msg:custom", { type: "run", stream_id: STREAM, ticket: "t" });
  await model.update({ stream_id: STREAM });
  await stands("open");
  server.append("delta", { text: PIECES[0] });
  model.say("msg:custom", { type: "cut" });
  assert.equal(reading.standing.state, "connecting");
  await stands("open");
  server.end();
  await stands("done");
  assert.equal(reading.text, PIECES[0]);
});

test("the end of the model ends all listening and reading", async (t) => {
  const server = await LogServer.start(t);
  const { model, end, stands } = linked(t, { base_url: origin(server) });
  model.say("msg:custom", { type: "run", stream_id: STREAM, ticket: "t" });
  await model.update({ stream_id: STREAM });
  await stands("open");
  end.abort();
  assert.equal(model.listening, 0);
});

test("addresses below Jupyter's base, and what Jupyter asks of requests there", () => {
  const page = (/** @type {string | null} */ textContent, cookie = "") => ({
    baseURI: "https://hub.example/user/a/lab/tree/x.ipynb?reset",
    cookie,
    getElementById: () => ({ textContent }),
  });
  const named = page('{"baseUrl": "/user/a", "token": ""}');
  assert.equal(jupyterBase(named), "https://hub.example/user/a/");
  assert.deepEqual(extensionHeaders(named), { "X-XSRFToken": "" });
  assert.deepEqual(
    extensionHeaders(page('{"baseUrl": "/"}', "_xsrf=100%")),
    { "X-XSRFToken": "100%" },
    "a cookie that is not encoded is sent as it is",
  );
  assert.equal(jupyterBase(page("{}")), "");
  assert.equal(jupyterBase(page("not json")), "");
  const base = new URL("http://127.0.0.1:8000/proxy/8765/");
  assert.equal(
    routeUrl({ base, headers: () => ({}) }, "runs/a", "t+/=").href,
    "http://127.0.0.1:8000/proxy/8765/api/v1/stream/runs/a?ticket=t%2B%2F%3D",
  );
});

/** What a reader is told. @param {Reading} reading @param {string} [lang] */
const said = ({ standing }, lang = "en") =>
  new StatusLine(/** @type {any} */ ({}), lang, new AbortController().signal).text(standing);

test("a page of Jupyter that says nothing of its server asks the kernel, whose whole text is as good", async (t) => {
  const { model, reading, ladder, carried } = linked(t, { in_jupyter: true });
  await model.update({ question: "hi", status: "connecting" });
  await model.update({ stream_id: STREAM });
  await model.update({ status: "streaming" });
  await ladder.find();
  assert.equal(said(reading), "Waiting for the kernel …");
  assert.deepEqual(
    carried.map(({ op }) => op),
    ["listen", "open"],
  );
  await model.update({ text: "the whole text", status: "done" });
  assert.deepEqual([reading.standing.state, reading.text], ["done", "the whole text"]);
});

test("an end that came with the id is shown too", async (t) => {
  const { model, reading, ladder } = linked(t, { in_jupyter: true });
  await model.update({ stream_id: STREAM, question: "hi", text: "all of it", status: "done" });
  await ladder.find();
  assert.deepEqual([reading.standing.state, reading.text], ["done", "all of it"]);
});

for (const [name, answer] of Object.entries({
  404: refuse(404),
  401: refuse(401),
  "a page of a proxy": refuse(200, { "Content-Type": "text/html" }, "<p>"),
}))
  test(`where the server refuses the page, the kernel's text is shown: ${name}`, async (t) => {
    const server = await LogServer.start(t);
    // Another way than server-sent events is refused as well.
    server.script = [answer, answer, answer];
    const { model, reading, stands } = linked(t, { in_jupyter: true }, `${origin(server)}/`);
    await model.update({ stream_id: STREAM, question: "hi", status: "streaming" });
    await stands("error");
    await model.update({ text: TEXT, status: "done" });
    assert.deepEqual([reading.standing.state, reading.text], ["done", TEXT]);
  });

test("without a ticket and a kernel nobody waits", (t) => {
  const { model, reading } = linked(t, {
    base_url: "http://127.0.0.1:1",
    stream_id: STREAM,
    status: "streaming",
  });
  assert.equal(said(reading), "Waiting for the kernel …");
  model.comm_live = false;
  model.say("comm_live_update");
  assert.equal(reading.standing.state, "error");
  assert.match(said(reading), /kernel .* is gone/);
});

test("the late end of the run before does not overwrite the question that is asked", async (t) => {
  const server = await LogServer.start(t);
  const { model, link, reading, stands } = linked(t, { in_jupyter: true }, `${origin(server)}/`);
  await model.update({ stream_id: STREAM, question: "A", status: "streaming" });
  await stands("open");
  /** @type {import("./log_server.js").Answer} */
  const busy = (response, { method }) =>
    response.writeHead(method === "POST" ? 503 : 204, { "Retry-After": "60" }).end();
  server.script = [busy, busy];
  link.ask("B");
  await stands("waiting");
  await model.update({ status: "stopped", text: "A's text" });
  assert.deepEqual([reading.question, reading.standing.state, reading.text], ["B", "waiting", ""]);
});

test("nor the run that is read, until the kernel reads that too", async (t) => {
  const server = await LogServer.start(t);
  const { model, link, reading, stands } = linked(t, { in_jupyter: true }, `${origin(server)}/`);
  await model.update({ question: "A", status: "done", text: "A's text" });
  const published = new Promise((resolve) => model.on("change:stream_id", resolve));
  link.ask("B");
  await published;
  server.script = [refuse(404)];
  server.cut();
  await stands("error");
  assert.deepEqual([reading.question, reading.text], ["B", ""]);
  await model.update({ text: "", status: "connecting" });
  await model.update({ text: "B's text", status: "done" });
  assert.deepEqual([reading.standing.state, reading.text], ["done", "B's text"]);
});

test("a question to the kernel is shown while it waits for it", async (t) => {
  const server = await LogServer.start(t);
  const { model, link, reading, stands } = linked(t, { base_url: origin(server) });
  model.say("msg:custom", { type: "run", stream_id: STREAM, ticket: "t" });
  await model.update({ stream_id: STREAM, question: "A", status: "streaming" });
  await stands("open");
  const ended = new Promise((resolve) => {
    server.script = [(response) => resolve(response.writeHead(204).end())];
  });
  link.ask("B");
  assert.deepEqual(model.sent, [{ type: "ask", q: "B" }]);
  assert.deepEqual([reading.question, said(reading)], ["B", "Waiting for the kernel …"]);
  assert.equal(said(reading, "ar"), "بانتظار النواة …");
  await ended;
  assert.equal(server.visits.at(-1)?.method, "DELETE", "the answer to A is not wanted any more");
  await model.update({ status: "stopped", text: "A's text" });
  assert.deepEqual([reading.question, reading.text, reading.live], ["B", "", true]);
  await model.update({ stream_id: "", question: "B", text: "", status: "connecting" });
  await model.update({ error: "no", error_code: "rate_limited", status: "error" });
  assert.deepEqual(reading.standing.detail, { code: "rate_limited", message: "no" });
});

test("a question to a kernel that is gone is an error that says what to do", (t) => {
  const { model, link, reading } = linked(t, { question: "A", status: "done", text: "A's text" });
  model.comm_live = false;
  link.ask("B");
  assert.deepEqual([reading.question, reading.standing.state], ["B", "error"]);
  assert.match(said(reading), /Run the widget's cell again/);
  assert.match(said(reading, "ar"), /شغّل خليتها/);
  const closed = linked(t, {});
  closed.model.send = () => {
    throw new Error("the comm is closed");
  };
  closed.link.ask("B");
  assert.match(said(closed.reading), /kernel .* is gone/);
});

test("errors of the kernel's own reader are said in the page's language", () => {
  const reading = new Reading();
  reading.settle("", "error", "cannot connect to 127.0.0.1", "connect_failed");
  assert.match(said(reading, "ar"), /تعذّر الوصول/);
  reading.settle("", "error", "كلام الخادم", "question_too_long");
  assert.equal(said(reading), "كلام الخادم", "the server words its own");
});

test("what a page keeps, where it may keep nothing", () => {
  const store = new Store(() => {
    throw new DOMException("sandboxed", "SecurityError");
  });
  assert.equal(store.getItem("a"), null);
  store.setItem("a", "1");
  assert.equal(store.getItem("a"), "1");
  const kept = new Map([["b", "2"]]);
  const getItem = (/** @type {string} */ name) => kept.get(name) ?? null;
  const setItem = (/** @type {string} */ name, /** @type {string} */ value) => void kept.set(name, value);
  const lasting = new Store(() => ({ getItem, setItem }));
  lasting.setItem("c", "3");
  assert.deepEqual([lasting.getItem("b"), kept.get("c")], ["2", "3"]);
});
