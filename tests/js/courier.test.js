import assert from "node:assert/strict";
import { test } from "node:test";
import { Courier } from "../../sse_widget/js/transport/courier.js";
import { Endpoint } from "../../sse_widget/js/transport/endpoint.js";
import { platformOf } from "../../sse_widget/js/transport/platform.js";
import { Clock, LogServer, refuse } from "./log_server.js";

const JSON_TYPE = { "Content-Type": "application/json" };

/** A courier to a server, on a clock that stands still. @param {import("node:test").TestContext} t */
async function courier(t) {
  const server = await LogServer.start(t);
  const clock = new Clock();
  const { now, setTimeout, clearTimeout } = clock;
  const platform = platformOf({ now, setTimeout, clearTimeout });
  return { server, clock, courier: new Courier(new Endpoint(server.chatUrl, {}, platform), platform) };
}

test("the server's time is told, of one that has been up for 200 days too", async (t) => {
  const parts = await courier(t);
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
    const parts = await courier(t);
    parts.server.script.push(refuse(200, JSON_TYPE, said));
    assert.equal(await parts.courier.exchange(), null);
  });
