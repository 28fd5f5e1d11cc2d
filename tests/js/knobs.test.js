import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Knobs } from "../../sse_widget/js/knobs/knobs.js";
import { accepts, INITIAL, NUMBERS, ownerOf, PRESETS, presetOf } from "../../sse_widget/js/knobs/specs.js";
import { Tuner } from "../../sse_widget/js/knobs/tuner.js";
import { SSEConsumer } from "../../sse_widget/js/open.js";
import { Reading } from "../../sse_widget/js/reading.js";
import { shareKnobs } from "../../sse_widget/js/traits.js";
import { Tuning } from "../../sse_widget/js/tuning.js";
import { LogServer, PIECES } from "./log_server.js";

/** @typedef {import("../../sse_widget/js/reading.js").Place} Place */

const VECTORS = JSON.parse(readFileSync(new URL("../vectors/knobs.json", import.meta.url), "utf8"));

/** A signal that ends with the test. @param {import("node:test").TestContext} t */
function during(t) {
  const end = new AbortController();
  t.after(() => end.abort());
  return end.signal;
}

test("the table is that of both languages", () => {
  for (const [name, { initial, low, high, whole, optional = false }] of Object.entries(VECTORS.numbers)) {
    const spec = NUMBERS[name] ?? assert.fail(name);
    assert.deepEqual(
      [spec.initial, spec.low, spec.high, spec.whole, spec.optional],
      [initial, low, high, whole, optional],
    );
  }
  const names = [...Object.keys(VECTORS.numbers), ...Object.keys(VECTORS.switches)];
  assert.deepEqual(Object.keys(INITIAL).sort(), names.sort());
  for (const [name, initial] of Object.entries(VECTORS.switches)) {
    assert.equal(INITIAL[/** @type {keyof typeof INITIAL} */ (name)], initial);
  }
  assert.deepEqual({ ...PRESETS }, VECTORS.presets);
  const ofRun = names.filter((name) => ownerOf(/** @type {keyof typeof INITIAL} */ (name)) === "run");
  assert.deepEqual(ofRun.sort(), VECTORS.of_run.sort());
});

test("a knob accepts what lies in its bounds", () => {
  const refused = [
    ["chunk_tokens", 0],
    ["chunk_tokens", 2.5],
    ["delay_ms", -1],
    ["delay_ms", 60_001],
    ["delay_ms", Number.NaN],
    ["delay_ms", "5"],
    ["delay_ms", null],
    ["reconnect", 1],
    ["toString", true],
  ];
  for (const [name, value] of refused) assert.equal(accepts(String(name), value), false, `${name} ${value}`);
  assert.ok(accepts("heartbeat_s", null) && accepts("heartbeat_s", 0.05) && accepts("markdown", false));
});

test("presets are what their knobs are, and anything else is custom", (t) => {
  const knobs = new Knobs();
  /** @type {object[]} */
  const heard = [];
  knobs.listen((changes, origin) => heard.push([origin, changes]), during(t));
  assert.equal(knobs.preset, "defaults");
  knobs.apply("raw");
  assert.equal(knobs.preset, "raw");
  knobs.set({ delay_ms: 30, reconnect: false });
  assert.equal(knobs.preset, "custom");
  knobs.set({ delay_ms: 0 }, "kernel");
  assert.equal(knobs.preset, "raw", "the connection is no part of it");
  knobs.set({ delay_ms: 0, chunk_tokens: 0, nothing: 1 });
  assert.equal(heard.length, 3, "no change, and no listener hears of one");
  assert.deepEqual(heard[1], ["page", { delay_ms: 30, reconnect: false }]);
  assert.equal(presetOf({ ...INITIAL, ...PRESETS.slow_network }), "slow_network");
});

test("one request at a time, with the last value of each knob", async () => {
  /** @type {{changes: object, answer: (outcome: import("../../sse_widget/js/knobs/tuner.js").Outcome) => void}[]} */
  const sent = [];
  /** @type {string[]} */
  const told = [];
  const tuner = new Tuner(
    (changes) => new Promise((answer) => sent.push({ changes, answer })),
    (outcome) => told.push(outcome),
  );
  const answered = async () => {
    sent.at(-1)?.answer("tuned");
    await new Promise((resolve) => setImmediate(resolve));
  };
  for (let delay = 1; delay <= 100; delay++) tuner.push({ delay_ms: delay });
  tuner.push({ chunk_tokens: 3 });
  assert.deepEqual(
    sent.map(({ changes }) => changes),
    [{ delay_ms: 1 }],
  );
  await answered();
  assert.deepEqual(sent[1]?.changes, { delay_ms: 100, chunk_tokens: 3 });
  tuner.push({ delay_ms: 7 });
  tuner.clear();
  await answered();
  assert.deepEqual([sent.length, told], [2, ["tuned", "tuned"]]);
});

/** A run that is read, with its knobs. @param {import("node:test").TestContext} t */
async function reading(t) {
  const server = await LogServer.start(t);
  const signal = during(t);
  const knobs = new Knobs();
  const page = new Reading();
  t.after(() => page.close());
  const tuning = new Tuning(knobs, page, signal);
  /** @type {(state: string) => Promise<void>} */
  const stands = (state) =>
    new Promise((resolve) => {
      page.listen({ standing: (standing) => standing.state === state && resolve() }, signal);
    });
  const open = (/** @type {Place} */ place) =>
    new SSEConsumer(server.chatUrl, { body: { q: "hi", ...knobs.params }, reconnectDelay: 0, ...place });
  return { server, knobs, page, tuning, stands, open, signal };
}

/** The bodies of all requests to change knobs. @param {LogServer} server */
const patches = (server) =>
  server.visits.filter(({ method }) => method === "PATCH").map(({ body }) => JSON.parse(body));

test("what the page turns goes to the run, what the kernel turns has gone there", async (t) => {
  const { server, knobs, page, stands, open } = await reading(t);
  knobs.set({ chunk_tokens: 2 });
  const opened = stands("open");
  page.follow("hi", open);
  await opened;
  assert.equal(JSON.parse(server.visits[0]?.body ?? "").chunk_tokens, 2, "a question starts with the knobs");
  const patched = new Promise((resolve) => {
    server.script.push((response) => resolve(response.writeHead(202).end()));
  });
  knobs.set({ delay_ms: 300 }, "kernel");
  knobs.set({ base_delay_ms: 3, timeline: true });
  knobs.set({ chunk_ms: 40 });
  await patched;
  assert.deepEqual(patches(server), [{ chunk_ms: 40 }]);
});

test("a server that cannot be reached is said, a refusal is not", async (t) => {
  const { server, knobs, page, tuning, stands, open, signal } = await reading(t);
  const opened = stands("open");
  page.follow("hi", open);
  await opened;
  /** @type {(problem: string) => Promise<void>} */
  const says = (wanted) =>
    new Promise((resolve) => {
      tuning.listen((problem) => problem === wanted && resolve(), signal);
    });
  server.script.push((response) => response.destroy());
  const lost = says("unreachable");
  knobs.set({ delay_ms: 10 });
  await lost;
  server.script.push((response) => response.writeHead(404).end());
  const quiet = says("");
  knobs.set({ delay_ms: 20 });
  await quiet;
  assert.deepEqual([knobs.values.delay_ms, tuning.problem], [20, ""]);
  page.close();
  knobs.set({ delay_ms: 30 });
  assert.equal(patches(server).length, 2, "nobody is left to be told");
});

test("without reconnection a cut interrupts, and the reading can be resumed", async (t) => {
  const { server, knobs, page, stands, open } = await reading(t);
  const opened = stands("open");
  const first = page.follow("hi", open);
  await opened;
  server.append("delta", { text: PIECES[0] });
  knobs.set({ reconnect: false });
  page.cut();
  assert.equal(await first, "interrupted");
  assert.ok(page.resumable);
  for (const text of PIECES.slice(1)) server.append("delta", { text });
  server.end();
  const done = stands("done");
  page.resume();
  await done;
  assert.deepEqual([page.text, server.starts], [PIECES.join(""), 1]);
});

/** A model as ipywidgets keeps it: `set` tells of changes, `save_changes` sends them in one message. */
class Model {
  /** @type {Record<string, unknown>} */
  state = { ...INITIAL, preset: "defaults", knobs_revision: 0, knobs_seen: 0 };
  /** @type {Record<string, unknown>[]} */
  sent = [];
  /** @type {Record<string, unknown>} */
  #dirty = {};
  #events = new EventTarget();

  /** @param {string} name */
  get(name) {
    return this.state[name];
  }

  /** @param {string} name @param {unknown} value */
  set(name, value) {
    if (this.state[name] === value) return;
    this.state[name] = value;
    this.#dirty[name] = value;
    this.#events.dispatchEvent(new Event(`change:${name}`));
  }

  save_changes() {
    this.sent.push(this.#dirty);
    this.#dirty = {};
  }

  /** @param {Record<string, unknown>} state */
  fromKernel(state) {
    for (const [name, value] of Object.entries(state)) this.set(name, value);
    this.#dirty = {};
  }

  /** @param {string} name @param {any} call */
  on(name, call) {
    this.#events.addEventListener(name, call);
  }

  /** @param {string} name @param {any} call */
  off(name, call) {
    this.#events.removeEventListener(name, call);
  }
}

test("traits and knobs stay in step, and nothing is said twice", (t) => {
  const model = new Model();
  const knobs = new Knobs();
  Object.assign(model.state, { chunk_ms: 99 });
  shareKnobs(knobs, /** @type {any} */ (model), during(t));
  assert.deepEqual([knobs.values.chunk_ms, model.sent], [99, []]);
  knobs.apply("raw");
  assert.deepEqual(model.sent, [
    {
      preset: "raw",
      chunk_tokens: 1,
      chunk_ms: 0,
      base_delay_ms: 0,
      punctuation_delay_multiplier: 0,
      comma_delay_multiplier: 0,
      max_lag_ms: 0,
    },
  ]);
  model.fromKernel({ delay_ms: 200, preset: "custom", knobs_revision: 1 });
  assert.deepEqual([knobs.values.delay_ms, knobs.preset, model.sent.length], [200, "custom", 1]);
  knobs.set({ delay_ms: 250 });
  assert.deepEqual(model.sent[1], { delay_ms: 250, knobs_seen: 1 }, "it says what it had seen of the kernel");
});
