/** One contract over every transport, with the real server behind a network that breaks. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { newShared } from "../../sse_widget/js/transport/shared.js";
import { CuttingProxy, FAST, follow, startServer, WAYS } from "./real_server.js";

const MODEL = "synthetic:tokens=40,rate=0,lang=mixed,seed=3";
const SLOW = "synthetic:tokens=100000,rate=200,lang=en";
const ASK = { q: "?", model: MODEL, chunk_tokens: 1 };

const server = await startServer({ after });

/** How many questions went to a model meanwhile. @param {() => Promise<unknown>} work */
async function asking(work) {
  const { runs_started: before } = await server.health();
  await work();
  return (await server.health()).runs_started - before;
}

/** @param {string[]} ids */
const inOrder = (ids) => ids.map((_, index) => `${(ids[0] ?? "").split(":")[0]}:${index + 2}`);

for (const transport of WAYS) {
  test(`${transport}: a whole answer, and what is said of it`, async (_t) => {
    const text = await server.golden(ASK);
    const told = follow(server.chatUrl, { body: ASK, transport });
    assert.equal(told.consumer.transport, transport);
    assert.equal(await told.consumer.connect(), "done");
    assert.equal(told.text, text);
    assert.deepEqual(told.ids, inOrder(told.ids));
    assert.ok(told.consumer.bytes > Buffer.byteLength(text));
    assert.deepEqual(told.ways, []);
    assert.deepEqual(
      told.states.map(([state]) => state),
      ["connecting", "open", "done"],
    );
    const again = follow(server.chatUrl, { transport, lastEventId: told.ids[4] ?? "" });
    assert.equal(await again.consumer.connect(), "done");
    assert.deepEqual(again.ids, told.ids.slice(5), "resumed after an event");
    const last = follow(server.chatUrl, { transport, lastEventId: told.consumer.lastEventId });
    assert.equal(await last.consumer.connect(), "done");
    assert.deepEqual(last.ids, [], "resumed after the last one");
    const run = `${server.url}/api/v1/stream/runs/${told.consumer.streamId}`;
    const snapshot = follow(run, { transport, snapshot: true });
    assert.equal(await snapshot.consumer.connect(), "done");
    assert.deepEqual([snapshot.text, snapshot.ids.length], [text, 1]);
  });

  test(`${transport}: cut all over, nothing is lost, nothing comes twice, the model is asked once`, async (t) => {
    const text = await server.golden(ASK);
    const proxy = await CuttingProxy.start(t, server.url);
    const rounds = 40;
    const asked = await asking(async () => {
      for (let round = 1; round <= rounds; round++) {
        // Scattered over heads, handshakes and bodies, the same every time.
        proxy.cuts = Array.from({ length: 6 }, (_, cut) => (round * 389 + cut * 1427) % 2600);
        const told = follow(proxy.chatUrl, { body: ASK, transport, ...FAST });
        assert.equal(await told.consumer.connect(), "done", `round ${round}`);
        assert.equal(told.text, text, `round ${round}`);
        assert.deepEqual(told.ids, inOrder(told.ids), `round ${round}`);
        proxy.cutAll();
      }
    });
    assert.equal(asked, rounds);
  });

  test(`${transport}: restarts by a handler, at every third event`, async (_t) => {
    const text = await server.golden(ASK);
    const told = follow(server.chatUrl, { body: ASK, transport });
    let heard = 0;
    told.consumer.onDelta(() => {
      heard += 1;
      if (heard % 3 === 0) told.consumer.restart();
    });
    assert.equal(await told.consumer.connect(), "done");
    assert.equal(told.text, text);
    assert.deepEqual(told.ids, inOrder(told.ids));
  });

  test(`${transport}: an event that is lost on the way is fetched, one that is wrong is read again`, async (t) => {
    const ask = { ...ASK, model: "synthetic:tokens=40,rate=0,lang=en" };
    const text = await server.golden(ask);
    const proxy = await CuttingProxy.start(t, server.url);
    let wrong = 1;
    const replaced =
      (/** @type {RegExp} */ what, /** @type {string} */ by) => (/** @type {Buffer} */ data) => {
        const said = data.toString("latin1");
        if (!wrong || !what.test(said)) return data;
        wrong -= 1;
        return Buffer.from(said.replace(what, by), "latin1");
      };
    // Event 11 comes under the number of the one before it: twice the same, then a hole.
    proxy.change = replaced(/(:1)1(["\n\\])/, "$10$2");
    const hole = follow(proxy.chatUrl, { body: ask, transport });
    assert.equal(await hole.consumer.connect(), "done");
    assert.equal(wrong, 0);
    assert.deepEqual([hole.text, hole.resets], [text, 0]);
    assert.ok(hole.states.some(([state, { reason }]) => state === "connecting" && reason === "hole"));
    wrong = 1;
    proxy.change = replaced(/(text\\?":\\?"[^"\\]*)[a-z]/, "$1#");
    const told = follow(proxy.chatUrl, { body: ask, transport });
    assert.equal(await told.consumer.connect(), "done");
    assert.deepEqual([told.text, told.resets], [text, 1]);
    wrong = 2;
    const twice = follow(proxy.chatUrl, { body: ask, transport });
    assert.equal(await twice.consumer.connect(), "error");
    assert.equal(twice.consumer.error?.code, "payload_mismatch");
    wrong = 1;
    proxy.change = replaced(/gap(\\?)":false/, 'gap$1":true ');
    const gap = follow(proxy.chatUrl, { body: ask, transport });
    assert.equal(await gap.consumer.connect(), "gap");
  });

  test(`${transport}: refusals have their code, and are final`, async (_t) => {
    const long = follow(server.chatUrl, { body: { q: "x".repeat(10_001) }, transport });
    assert.equal(await long.consumer.connect(), "error");
    assert.equal(long.consumer.error?.code, "question_too_long");
    const headers = { "Accept-Language": "ar" };
    const empty = follow(server.chatUrl, { body: { q: "" }, transport, headers });
    assert.equal(await empty.consumer.connect(), "error");
    assert.match(empty.consumer.error?.message ?? "", /السؤال/);
    const unknown = follow(`${server.url}/api/v1/stream/runs/${"0".repeat(32)}`, { transport });
    assert.equal(await unknown.consumer.connect(), "error");
    assert.equal(unknown.consumer.error?.code, "not_found");
  });

  test(`${transport}: tune and stop reach the run`, async (_t) => {
    const told = follow(server.chatUrl, { body: { ...ASK, model: SLOW, chunk_tokens: 50 }, transport });
    const outcome = told.consumer.connect();
    await told.hears("delta");
    assert.equal(await told.consumer.tune({ chunk_tokens: 1, chunk_ms: 1 }), true);
    assert.equal(await told.consumer.tune({ chunk_tokens: 0 }), false);
    await told.hears("delta");
    assert.equal(await told.consumer.stop(), true);
    assert.equal(await outcome, "stopped");
    assert.equal((await server.health()).runs, 0);
  });

  test(`${transport}: another heartbeat is asked for while it streams`, async (_t) => {
    const body = { q: "?", model: "synthetic:tokens=5,rate=0,ttft_ms=1500" };
    const told = follow(server.chatUrl, { body, transport });
    const outcome = told.consumer.connect();
    await told.hears("start");
    told.consumer.update({ heartbeatS: 0.1 });
    await told.hears("ping");
    assert.equal(await outcome, "done");
  });

  test(`${transport}: a server that comes back is found again`, async (t) => {
    const proxy = await CuttingProxy.start(t, server.url);
    const told = follow(proxy.chatUrl, {
      body: { ...ASK, model: "synthetic:tokens=200,rate=200" },
      transport,
    });
    const { runs_started: before } = await server.health();
    const outcome = told.consumer.connect();
    await told.hears("delta");
    let refused = 3;
    proxy.answer = () => {
      refused -= 1;
      return refused >= 0 ? "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n" : undefined;
    };
    proxy.cutAll();
    assert.equal(await outcome, "done");
    assert.deepEqual(told.ids, inOrder(told.ids));
    assert.equal((await server.health()).runs_started, before + 1);
  });
}

test("many consumers of a page share one socket", async (t) => {
  const own = await startServer(t);
  const text = await own.golden(ASK);
  const shared = newShared();
  const told = Array.from({ length: 20 }, () =>
    follow(own.chatUrl, {
      body: { ...ASK, model: `${MODEL.replace("rate=0", "rate=400")}` },
      transport: "websocket",
      shared,
    }),
  );
  const outcomes = told.map(({ consumer }) => consumer.connect());
  await Promise.all(told.map(({ hears }) => hears("start")));
  assert.equal((await own.health()).sockets, 1);
  assert.deepEqual(new Set(await Promise.all(outcomes)), new Set(["done"]));
  assert.deepEqual(new Set(told.map((one) => one.text)), new Set([text]));
  assert.equal(shared.sockets.size, 1);
});

test("one key is one run, whichever way it is asked", async () => {
  const told = WAYS.map((transport) => follow(server.chatUrl, { body: ASK, key: "one", transport }));
  const ends = Promise.all(told.map(({ consumer }) => consumer.connect()));
  assert.equal(await asking(() => ends), 1);
  assert.deepEqual(await ends, ["done", "done", "done"]);
  assert.equal(new Set(told.map(({ consumer }) => consumer.streamId)).size, 1);
});
