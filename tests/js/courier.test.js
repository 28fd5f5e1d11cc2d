import assert from "node:assert/strict";
import { test } from "node:test";
import { Courier, LIMIT_MS } from "../../sse_widget/js/transport/courier.js";
import { Endpoint } from "../../sse_widget/js/transport/endpoint.js";
import { platformOf } from "../../sse_widget/js/transport/platform.js";
import { Clock, LogServer, refuse, STREAM } from "./log_server.js";

const BATCH = {
  reader: "reader-1",
  from: 0,
  offset_ns: null,
  error_ns: null,
  asked: null,
  rows: [],
  over: false,
};
const JSON_TYPE = { "Content-Type": "application/json" };

/** A courier to a server, on a clock that stands still. @param {import("node:test").TestContext} t */
async function courierTo(t) {
  const server = await LogServer.start(t);
  const clock = new Clock();
  const { now, setTimeout, clearTimeout } = clock;
  const platform = platformOf({ now, setTimeout, clearTimeout });
  return { server, clock, courier: new Courier(new Endpoint(server.chatUrl, {}, platform), platform) };
}

test("the server's time is told, of one that has been up for 200 days too", async (t) => {
  const parts = await courierTo(t);
  parts.clock.advance(3);
  parts.server.script.push(
    refuse(200, JSON_TYPE, '{"received": 17280000001000000, "sent": 17280000001000002}'),
  );
  assert.deepEqual(await parts.courier.exchange(), [3e6, 17280000001000000, 17280000001000002, 3e6]);
  assert.equal(parts.server.visits[0]?.url.pathname, "/api/v1/clock");
});

for (const said of [
  '{"received": "1", "sent": 2}',
  '{"received": 1.5, "sent": 2}',
  '{"received": 1}',
  "1",
  "<",
])
  test(`no time is ${said}`, async (t) => {
    const parts = await courierTo(t);
    parts.server.script.push(refuse(200, JSON_TYPE, said));
    assert.equal(await parts.courier.exchange(), null);
  });

/** @type {[string, (courier: Courier) => Promise<unknown>, unknown][]} */
const REQUESTS = [
  ["rows", (courier) => courier.send(STREAM, BATCH), { status: 0, have: null }],
  ["the time", (courier) => courier.exchange(), null],
];
/** @type {[string, import("./log_server.js").Answer][]} */
const HANGING = [
  ["without an answer", () => {}],
  ["in the middle of its answer", (response) => response.writeHead(409, JSON_TYPE).write('{"have"')],
];
for (const [what, ask, none] of REQUESTS)
  for (const [how, answer] of HANGING)
    test(`a request of ${what} that hangs ${how} is given up`, async (t) => {
      const { server, clock, courier } = await courierTo(t);
      /** @type {PromiseWithResolvers<void>} */
      const arrived = Promise.withResolvers();
      server.script.push((response, visit) => {
        answer(response, visit, server);
        arrived.resolve();
      });
      const asking = ask(courier);
      await arrived.promise;
      clock.advance(LIMIT_MS - 1);
      assert.equal(clock.timers.size, 1);
      clock.advance(1);
      assert.deepEqual(await asking, none);
    });

test("what is answered in time leaves no timer, and the last rows of a page have no limit", async (t) => {
  const { server, clock, courier } = await courierTo(t);
  server.script.push(refuse(409, JSON_TYPE, '{"have": 3}'), refuse(503), refuse(204));
  assert.deepEqual(await courier.send(STREAM, BATCH), { status: 409, have: 3 });
  assert.equal(await courier.exchange(), null);
  assert.deepEqual([clock.armed, clock.timers.size], [2, 0]);
  assert.deepEqual(await courier.send(STREAM, BATCH, true), { status: 204, have: null });
  assert.equal(clock.armed, 2);
});
