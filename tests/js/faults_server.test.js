import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { FaultPlan } from "../../sse_widget/js/protocol/faults.js";
import { FAST, follow, startServer } from "./real_server.js";

/** @typedef {import("../../sse_widget/js/protocol/ways.js").Way} Way */
/** @typedef {Awaited<ReturnType<typeof startServer>>} Server */

const BODY = { q: "hi", model: "synthetic:tokens=60,rate=0,lang=mixed,seed=3" };
/** Of each, the state is honest about a text that is not whole. @type {Record<string, string[]>} */
const HONEST = {
  done: [""],
  error: ["payload_mismatch", "not_found", "expired"],
  gap: ["gap"],
  interrupted: ["connect_failed", "overloaded", "rate_limited"],
};
const FIRST_SEED = 2_000_000;
const AT_ONCE = 10;

/** @type {Server} */
let server;
let golden = "";
/** @type {(() => Promise<void>)[]} */
const ends = [];
before(async () => {
  server = await startServer({ after: (end) => ends.push(end) }, "--allow-faults");
  golden = await server.golden(BODY);
});
after(async () => {
  for (const end of ends) await end();
});

/** A drawn plan whose delays are short enough to be waited for. @param {number} seed */
function capped(seed) {
  const drawn = JSON.parse(FaultPlan.random(seed, { attempts: 4, steps: 6, events: 24 }).dump());
  for (const step of drawn.steps) {
    if ("ms" in step) step.ms = step.kind === "drip" ? 1 : Math.min(step.ms, 20);
    if ("retry_after_s" in step) step.retry_after_s = 0;
  }
  return FaultPlan.of(drawn);
}

/** @param {FaultPlan} plan @param {Way | "auto"} way */
async function read(plan, way) {
  const url = new URL(server.chatUrl);
  url.searchParams.set("fault", plan.dump());
  url.searchParams.set("heartbeat_s", "0.5");
  const told = follow(url.href, {
    ...FAST,
    body: BODY,
    transport: way,
    maxReconnectAttempts: 10,
    reconnectDelay: 1,
  });
  const state = await told.consumer.connect();
  const code = told.states.at(-1)?.[1].code ?? "";
  return { state, code: state === "done" ? "" : code, text: told.text, ways: told.ways };
}

/** @param {Way | "auto"} way @param {number} plans */
async function readAll(way, plans) {
  const seeds = Array.from({ length: plans }, (_, index) => FIRST_SEED + index);
  const states = new Map([...Object.keys(HONEST)].map((state) => [state, 0]));
  const next = async () => {
    for (let seed = seeds.pop(); seed !== undefined; seed = seeds.pop()) {
      const plan = capped(seed);
      const { state, code, text } = await read(plan, way);
      assert.ok(HONEST[state]?.includes(code), `seed ${seed}: ${state} ${code}: ${plan.dump()}`);
      if (state === "done") assert.equal(text, golden, `seed ${seed}: ${plan.dump()}`);
      states.set(state, (states.get(state) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  return states;
}

/** Resolves when no connection streams any more. */
async function idle() {
  const { signal } = { signal: AbortSignal.timeout(10_000) };
  for (;;) {
    const { connections } = await server.health();
    if (connections === 0) return;
    signal.throwIfAborted();
  }
}

for (const [way, plans] of /** @type {[Way | "auto", number][]} */ ([
  ["sse", 100],
  ["auto", 40],
  ["websocket", 30],
  ["poll", 30],
])) {
  test(`${way}: through drawn plans the text is right, or the state is honest`, async (t) => {
    const states = await readAll(way, plans);
    t.diagnostic([...states].join(" "));
    assert.ok((states.get("done") ?? 0) >= 0.7 * plans);
    await idle();
  });
}

test("what a proxy would hold back is read by another way", async () => {
  const plan = FaultPlan.of({ seed: 1, steps: [{ attempt: 1, kind: "buffer", bytes: 1 << 20 }] });
  const stalling = new URL(server.chatUrl);
  stalling.searchParams.set("fault", plan.dump());
  const body = { q: "hi", model: "synthetic:tokens=60,rate=20,lang=mixed,seed=3" };
  const told = follow(stalling.href, { ...FAST, body });
  assert.equal(await told.consumer.connect(), "done");
  assert.deepEqual(told.ways, [["websocket", "held_back"]]);
  assert.equal(told.text, golden);
});

test("each connection says its number, also where the header costs a preflight", async () => {
  const plan = FaultPlan.of({ seed: 1, steps: [{ attempt: 1, kind: "refuse", retry_after_s: 0 }] });
  const url = new URL(server.chatUrl);
  url.searchParams.set("fault", plan.dump());
  /** @type {(string | null)[]} */
  const numbers = [];
  const fetched = (/** @type {any} */ target, /** @type {RequestInit | undefined} */ init) => {
    numbers.push(new Headers(init?.headers).get("X-SSE-Reconnect"));
    return fetch(target, init);
  };
  const told = follow(url.href, {
    body: BODY,
    transport: "sse",
    fetch: fetched,
    pageUrl: "http://other.test/",
  });
  assert.equal(await told.consumer.connect(), "done");
  assert.deepEqual(numbers, [null, "connection=2; reason=http_503"]);
});
